package io.featureduck.registry;

import static org.assertj.core.api.Assertions.assertThat;

import io.featureduck.definition.JoinKey;
import io.featureduck.plan.Feature;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class DefinitionChangeTest {
  /**
   * @param before the view's JSON, with ' for "
   * @param featuresBefore {@code name TYPE, …}
   * @param expected a line for each difference, as {@link #lines} writes them
   */
  record Case(
      String title,
      String before,
      String featuresBefore,
      String after,
      String featuresAfter,
      List<String> expected) {
    @Override
    public String toString() {
      return title;
    }
  }

  private static Case of(
      String title,
      String before,
      String featuresBefore,
      String after,
      String featuresAfter,
      String... expected) {
    return new Case(title, before, featuresBefore, after, featuresAfter, List.of(expected));
  }

  private static final String SUM =
      "{'aggregations':[{'function':'sum','column':'a','alias':'s'}]}";

  static Stream<Case> cases() {
    return Stream.of(
        of("nothing", SUM, "s INT64", SUM, "s INT64"),
        of(
            "keys in another order",
            "{'source':'o','name':'v'}",
            "",
            "{'name':'v','source':'o'}",
            ""),
        of("number written otherwise", "{'x':100.0}", "", "{'x':1e2}", ""),
        // Settings.
        of("ttl", "{'ttl':'90d'}", "", "{'ttl':'30d'}", "", "~ ttl '90d' '30d'"),
        of("a setting comes", "{}", "", "{'owner':'me'}", "", "~ owner - 'me'"),
        of("a setting goes", "{'timezone':'UTC'}", "", "{}", "", "~ timezone 'UTC' -"),
        of(
            "every setting",
            "{}",
            "",
            "{'ttl':'1d','batch_schedule':'* * * * *','full_refresh_schedule':'0 0 * * *','timezone':'UTC','freshness':{'warn':'1h','error':'2h'},'cache':{'max_age':'0s'},'description':'d','owner':'o','tags':{'tier':'1'}}",
            "",
            "~ batch_schedule - '* * * * *'",
            "~ cache.max_age - '0s'",
            "~ description - 'd'",
            "~ freshness.error - '2h'",
            "~ freshness.warn - '1h'",
            "~ full_refresh_schedule - '0 0 * * *'",
            "~ owner - 'o'",
            "~ tags.tier - '1'",
            "~ timezone - 'UTC'",
            "~ ttl - '1d'"),
        of(
            "one key of a setting",
            "{'freshness':{'warn':'1h','error':'2h'}}",
            "",
            "{'freshness':{'warn':'1h','error':'3h'}}",
            "",
            "~ freshness.error '2h' '3h'"),
        of(
            "spelling alone",
            "{'filters':['a=1']}",
            "",
            "{'filters':['a = 1']}",
            "",
            "~ spelling another one the config's"),
        of(
            "filters in another order",
            "{'filters':['a = 1','b = 2']}",
            "",
            "{'filters':['b = 2','a = 1']}",
            "",
            "~ spelling another one the config's"),
        of(
            "empty is absent",
            "{}",
            "",
            "{'filters':[]}",
            "",
            "~ spelling another one the config's"),
        of(
            "default storage named",
            "{}",
            "",
            "{'storage':'typed'}",
            "",
            "~ spelling another one the config's"),
        // Features come and go.
        of(
            "an aggregation comes",
            SUM,
            "s INT64",
            "{'aggregations':[{'function':'count','alias':'n'},{'function':'sum','column':'a','alias':'s'}]}",
            "n INT64, s INT64",
            "+ n INT64"),
        of(
            "an aggregation goes",
            "{'aggregations':[{'function':'count','alias':'n'},{'function':'sum','column':'a','alias':'s'}]}",
            "n INT64, s INT64",
            SUM,
            "s INT64",
            "- n INT64"),
        of(
            "a window comes and another goes",
            "{'aggregations':[{'function':'count','alias':'n','windows':['7d','30d']}]}",
            "n_7d INT64, n_30d INT64",
            "{'aggregations':[{'function':'count','alias':'n','windows':['7d','90d']}]}",
            "n_7d INT64, n_90d INT64",
            "+ n_90d INT64",
            "- n_30d INT64"),
        of(
            "a window moves to an aggregation of its own",
            "{'aggregations':[{'function':'count','alias':'n','windows':['7d','30d']}]}",
            "n_7d INT64, n_30d INT64",
            "{'aggregations':[{'function':'count','alias':'n','windows':['7d']},{'function':'count','alias':'n','windows':['30d']}]}",
            "n_7d INT64, n_30d INT64",
            "~ spelling another one the config's"),
        of(
            "a projection comes",
            SUM,
            "s INT64",
            "{'aggregations':[{'function':'sum','column':'a','alias':'s'}],'projections':[{'expression':'s / 2','alias':'h'}]}",
            "s INT64, h FLOAT64",
            "+ h FLOAT64"),
        of(
            "a column of the source comes, another goes",
            "{}",
            "a INT64, b STRING",
            "{}",
            "a INT64, c STRING",
            "+ c STRING",
            "- b STRING"),
        of(
            "a column of the sql comes",
            "{'sql':'SELECT * FROM o'}",
            "a INT64",
            "{'sql':'SELECT * FROM o'}",
            "a INT64, b INT64",
            "+ b INT64"),
        of(
            "a feature gets another name",
            "{'aggregations':[{'function':'sum','column':'a','alias':'s'},{'function':'count','alias':'n'}]}",
            "s INT64, n INT64",
            "{'aggregations':[{'function':'sum','column':'a','alias':'total'},{'function':'count','alias':'n'}]}",
            "total INT64, n INT64",
            "+ total INT64",
            "- s INT64"),
        of(
            "features in another order",
            "{'aggregations':[{'function':'count','alias':'n'},{'function':'count','alias':'m'}]}",
            "n INT64, m INT64",
            "{'aggregations':[{'function':'count','alias':'m'},{'function':'count','alias':'n'}]}",
            "m INT64, n INT64",
            "~ order of features n, m m, n"),
        of(
            "a feature comes before the others",
            "{'aggregations':[{'function':'count','alias':'n'},{'function':'count','alias':'m'}]}",
            "n INT64, m INT64",
            "{'aggregations':[{'function':'count','alias':'l'},{'function':'count','alias':'n'},{'function':'count','alias':'m'}]}",
            "l INT64, n INT64, m INT64",
            "+ l INT64"),
        // Features are made in another way.
        of(
            "another column",
            SUM,
            "s INT64",
            "{'aggregations':[{'function':'sum','column':'b','alias':'s'}]}",
            "s INT64",
            "-/+ feature s: column 'a' 'b'"),
        of(
            "another function",
            SUM,
            "s INT64",
            "{'aggregations':[{'function':'max','column':'a','alias':'s'}]}",
            "s INT64",
            "-/+ feature s: function 'sum' 'max'"),
        of(
            "another filter of an aggregation",
            "{'aggregations':[{'function':'count','alias':'n','filter':'a > 1'}]}",
            "n INT64",
            "{'aggregations':[{'function':'count','alias':'n','filter':'a > 2'}]}",
            "n INT64",
            "-/+ feature n: filter 'a > 1' 'a > 2'"),
        of(
            "an expression written otherwise",
            "{'aggregations':[{'function':'sum','expression':'a*2','alias':'s'}]}",
            "s INT64",
            "{'aggregations':[{'function':'sum','expression':'a  *  2','alias':'s'}]}",
            "s INT64",
            "~ spelling another one the config's"),
        of(
            "a column written as an expression",
            SUM,
            "s INT64",
            SUM.replace("'column'", "'expression'"),
            "s INT64",
            "~ spelling another one the config's"),
        of(
            "a joined source's column written as an expression",
            "{'joins':[{'source':'j'}],'projections':[{'column':'j.c','alias':'c'}]}",
            "c INT64",
            "{'joins':[{'source':'j'}],'projections':[{'expression':'j.c','alias':'c'}]}",
            "c INT64",
            "~ spelling another one the config's"),
        of(
            "another column, as an expression",
            SUM,
            "s INT64",
            "{'aggregations':[{'function':'sum','expression':'b','alias':'s'}]}",
            "s INT64",
            "-/+ feature s: column 'a' -",
            "-/+ feature s: expression - 'b'"),
        of(
            "a type written otherwise",
            "{'projections':[{'column':'a','type':'DECIMAL(12,2)'}]}",
            "a DECIMAL(12,2)",
            "{'projections':[{'column':'a','type':'DECIMAL(12, 2)'}]}",
            "a DECIMAL(12,2)",
            "~ spelling another one the config's"),
        of(
            "the type of a join named",
            "{'joins':[{'source':'j'}]}",
            "",
            "{'joins':[{'type':'left','source':'j'}]}",
            "",
            "~ spelling another one the config's"),
        of(
            "another percentile",
            "{'aggregations':[{'function':'approx_percentile','column':'a','percentile':0.5,'alias':'p'}]}",
            "p FLOAT64",
            "{'aggregations':[{'function':'approx_percentile','column':'a','percentile':0.9,'alias':'p'}]}",
            "p FLOAT64",
            "-/+ feature p: percentile 0.5 0.9"),
        of(
            "another type, by the source alone",
            SUM,
            "s INT64",
            SUM,
            "s FLOAT64",
            "-/+ feature s: type INT64 FLOAT64"),
        of(
            "a window under the name of a feature without",
            "{'aggregations':[{'function':'count','alias':'n_7d'}]}",
            "n_7d INT64",
            "{'aggregations':[{'function':'count','alias':'n','windows':['7d']}]}",
            "n_7d INT64",
            "-/+ feature n_7d: window - '7d'"),
        of(
            "an aggregation becomes a projection of its name",
            "{'aggregations':[{'function':'count','alias':'n'},{'function':'count','alias':'m'}]}",
            "n INT64, m INT64",
            "{'aggregations':[{'function':'count','alias':'m'}],'projections':[{'expression':'m','alias':'n'}]}",
            "m INT64, n INT64",
            "~ order of features n, m m, n",
            "-/+ feature n: expression - 'm'",
            "-/+ feature n: function 'count' -"),
        of(
            "a projection of a plain column, by its name",
            "{'projections':[{'column':'a'},{'expression':'b'},{'column':'j.c'}],'joins':[{'source':'j'}]}",
            "a INT64, b INT64, c INT64",
            "{'projections':[{'column':'a'},{'expression':'b'},{'column':'j.c','type':'STRING'}],'joins':[{'source':'j'}]}",
            "a INT64, b INT64, c STRING",
            "-/+ feature c: type INT64 STRING",
            "-/+ feature c: type - 'STRING'"),
        // All rows are others.
        of(
            "another filter",
            "{'filters':['a = 1']}",
            "",
            "{'filters':['a = 2']}",
            "",
            "-/+ filters ['a = 1'] ['a = 2']"),
        of("a filter comes", "{}", "", "{'filters':['a = 2']}", "", "-/+ filters - ['a = 2']"),
        of("another source", "{'source':'a'}", "", "{'source':'b'}", "", "-/+ source 'a' 'b'"),
        of(
            "another sql",
            "{'sql':'SELECT 1'}",
            "",
            "{'sql':'SELECT 2'}",
            "",
            "-/+ sql 'SELECT 1' 'SELECT 2'"),
        of("another storage", "{}", "", "{'storage':'jsonb'}", "", "-/+ storage - 'jsonb'"),
        of(
            "another join",
            "{'joins':[{'source':'j','type':'left'}]}",
            "",
            "{'joins':[{'source':'j','type':'inner'}]}",
            "",
            "-/+ joins [{'source':'j','type':'left'}] [{'source':'j','type':'inner'}]"),
        of(
            "other entities",
            "{'entities':['a']}",
            "",
            "{'entities':['b']}",
            "",
            "-/+ entities ['a'] ['b']"),
        of(
            "something that this version doesn't know",
            "{}",
            "",
            "{'sampling':1}",
            "",
            "-/+ sampling - 1"),
        of(
            "the first aggregation",
            "{'projections':[{'expression':'a','alias':'s'}]}",
            "s INT64",
            SUM,
            "s INT64",
            "-/+ rows the newest, projected aggregated"),
        of(
            "the first projection",
            "{}",
            "a INT64",
            "{'projections':[{'column':'a'}]}",
            "a INT64",
            "-/+ rows the newest, all columns the newest, projected"),
        of(
            "sql becomes a plan",
            "{'sql':'SELECT 1 AS s'}",
            "s INT32",
            SUM,
            "s INT64",
            "-/+ rows of its sql aggregated",
            "-/+ feature s: type INT32 INT64",
            "-/+ sql 'SELECT 1 AS s' -"));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void between_twoDefinitions_tellsEachDifferenceByItsKind(Case given) {
    DefinitionChange change =
        DefinitionChange.between(
            view(given.before(), given.featuresBefore()),
            view(given.after(), given.featuresAfter()));

    assertThat(lines(change)).containsExactlyInAnyOrderElementsOf(given.expected());
    assertThat(change.isNone()).isEqualTo(given.expected().isEmpty());
    assertThat(change.isInPlace())
        .isEqualTo(given.expected().stream().noneMatch(line -> line.startsWith("-/+")));
    assertThat(change.computesTheSame())
        .isEqualTo(given.expected().stream().allMatch(line -> line.startsWith("~")));
  }

  @Test
  void between_otherJoinKeys_isANewVersion() {
    ViewDefinition before = view("{}", "");
    ViewDefinition after =
        new ViewDefinition("v", List.of(new JoinKey("id", Primitive.STRING)), List.of(), "{}");

    assertThat(lines(DefinitionChange.between(before, after)))
        .containsExactly("-/+ join keys id INT64 id STRING");
  }

  @Test
  void between_storedAndReadAgain_isNone() {
    ViewDefinition definition = view(SUM.replace("{'agg", "{'ttl':'1d','agg"), "s DECIMAL(38,2)");

    ViewDefinition read = ViewDefinition.parse("v", definition.stored());

    assertThat(DefinitionChange.between(read, definition).isNone()).isTrue();
    assertThat(read.features()).isEqualTo(definition.features());
    assertThat(read.joinKeys()).isEqualTo(definition.joinKeys());
  }

  static ViewDefinition view(String json, String features) {
    return new ViewDefinition(
        "v",
        List.of(new JoinKey("id", Primitive.INT64)),
        features.isEmpty()
            ? List.of()
            : Arrays.stream(features.split(", (?=[a-z])"))
                .map(text -> text.split(" "))
                .map(words -> new Feature(words[0], FeatureType.parse(words[1]).orElseThrow()))
                .toList(),
        json.replace('\'', '"'));
  }

  private static List<String> lines(DefinitionChange change) {
    List<String> lines = new ArrayList<>();
    for (DefinitionChange.Setting setting : change.settings()) {
      lines.add(
          "~ %s %s %s"
              .formatted(
                  setting.name(), setting.before().orElse("-"), setting.after().orElse("-")));
    }
    for (DefinitionChange.Remade remade : change.remade()) {
      lines.add(
          "-/+ %s %s %s"
              .formatted(remade.what(), remade.before().orElse("-"), remade.after().orElse("-")));
    }
    change.added().forEach(feature -> lines.add("+ " + feature.name() + " " + feature.type()));
    change.dropped().forEach(feature -> lines.add("- " + feature.name() + " " + feature.type()));
    return lines.stream().map(line -> line.replace('"', '\'')).toList();
  }
}
