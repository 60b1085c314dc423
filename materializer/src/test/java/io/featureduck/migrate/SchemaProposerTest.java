package io.featureduck.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.featureduck.definition.Storage;
import io.featureduck.error.ErrorCode;
import io.featureduck.error.FeatureException;
import io.featureduck.migrate.Proposal.ProposedView;
import io.featureduck.plan.Feature;
import io.featureduck.testing.TestDefinitions;
import io.featureduck.type.FeatureType;
import io.featureduck.type.FeatureType.Primitive;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is found of the rows, what is told, and what is refused before anything is begun. */
class SchemaProposerTest {
  // Nothing is begun here, so one store does for all.
  private static MigrationFixture fixture;

  @BeforeAll
  static void makeStore() throws SQLException {
    fixture = MigrationFixture.inOneDatabase();
  }

  @BeforeEach
  void makeTable() throws SQLException {
    fixture.old().execute("DROP TABLE IF EXISTS online_features;" + MigrationFixture.TABLE);
  }

  /** The values of one feature, a row each. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "1; 2; -3 | INT64",
        "1; null | INT64",
        "9223372036854775807; -9223372036854775808 | INT64",
        "1; 2.5 | FLOAT64",
        "1.0; 2.0 | FLOAT64",
        "1e2; 1.5 | FLOAT64",
        "1e300; 0.1 | FLOAT64",
        "1.5; \"NaN\"; \"-Infinity\" | FLOAT64",
        "1; \"NaN\" | FLOAT64",
        "9007199254740993; 0.5 | DECIMAL(38,1)",
        "0.12345678901234567890; 12 | DECIMAL(38,20)",
        "9223372036854775808; 1 | DECIMAL(38,0)",
        "1e40; 1 | FLOAT64",
        "\"a\"; \"b\" | STRING",
        "\"2024-01-31T10:00:00Z\" | STRING",
        "\"NaN\" | STRING",
        "true; false; null | BOOL",
        "null | JSON",
        "{\"a\": 1}; {} | JSON",
        "{\"a\": 1}; [1] | JSON",
        "[1, 2]; []; [null] | ARRAY<INT64>",
        "[1]; [0.5] | ARRAY<FLOAT64>",
        "[\"a\"]; null | ARRAY<STRING>",
        "[true] | ARRAY<BOOL>",
        "[1, \"a\"] | JSON",
        "[[1], [2]] | JSON",
        "[{}] | JSON",
        "[]; [] | JSON",
        "[0.12345678901234567890] | ARRAY<DECIMAL(38,20)>"
      })
  void propose_values_findsTheTypeThatHoldsThemAllExactly(String values, String type)
      throws SQLException {
    insert(values);

    ProposedView view = propose(MigrationFixture.inferring()).getFirst();

    assertThat(view.problems()).isEmpty();
    assertThat(view.view().inferred()).isTrue();
    assertThat(view.view().features())
        .singleElement()
        .satisfies(feature -> assertThat(feature.type()).hasToString(type))
        .satisfies(feature -> assertThat(feature.exact()).isTrue());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "1; \"a\"; \"b\" | feature a is a number in 1 row and a string in 2 rows: choose a type",
        "1; true | a number in 1 row and a boolean in 1 row",
        "\"a\"; [1] | a string in 1 row and an array in 1 row",
        "{}; 2 | a number in 1 row and an object in 1 row",
        "0.12345678901234567890; 123456789012345678901234567890 | neither FLOAT64 nor a DECIMAL",
        "9007199254740993; \"NaN\" | beside NaN"
      })
  void propose_valuesOfDifferentTypes_asksForATypeAndTakesIt(String values, String problem)
      throws SQLException {
    insert(values);

    ProposedView view = propose(MigrationFixture.inferring()).getFirst();

    assertThat(view.problems()).singleElement().asString().contains(problem);
    ProposedView told = propose(told("JSON")).getFirst();
    assertThat(told.problems()).isEmpty();
    assertThat(told.view().features().getFirst().exact()).isTrue();
  }

  @Test
  void propose_toldType_isUsedAndSaysWhetherItConverts() throws SQLException {
    insert("1; \"a\"; true");
    MigratedFeature text = propose(told("STRING")).getFirst().view().features().getFirst();
    assertThat(text.type()).isEqualTo(Primitive.STRING);
    assertThat(text.exact()).isFalse();

    ProposedView refused = propose(told("INT64")).getFirst();
    assertThat(refused.problems())
        .containsExactly("feature a: 2 rows have no INT64, such as that of entity 2");
  }

  @Test
  void propose_toldTypeThatHoldsAll_isExact() throws SQLException {
    insert("1; 2");

    ProposedView view = propose(told("INT32")).getFirst();

    assertThat(view.view().features())
        .containsExactly(new MigratedFeature("a", "a", Primitive.INT32, true, true));
    assertThat(view.notes()).isEmpty();
  }

  @Test
  void propose_namesThatBreakTheRule_areMappedAndShown() throws SQLException {
    fixture
        .old()
        .execute(
            """
            INSERT INTO online_features VALUES
              ('User-Features', '1', '{"Total Spent": 1, "total_spent": 2, "updated_at": "x", "ok": 3, "entity_id": 4, "a\\"b''c": 5}'),
              ('user_features', '1', '{}'), ('features', '1', '{}')
            """);

    List<ProposedView> views = propose(MigrationFixture.inferring());

    assertThat(views)
        .extracting(view -> view.view().featureView() + " -> " + view.view().view())
        .containsExactly(
            "User-Features -> user_features_2",
            "features -> features_2",
            "user_features -> user_features");
    assertThat(views.getFirst().view().joinKeys())
        .hasToString("[JoinKey[name=entity_id_2, type=INT64]]");
    assertThat(
            views.getFirst().view().features().stream()
                .collect(Collectors.toMap(MigratedFeature::name, MigratedFeature::from)))
        .containsEntry("total_spent", "total_spent")
        .containsEntry("total_spent_2", "Total Spent")
        .containsEntry("updated_at_2", "updated_at")
        .containsEntry("a_b_c", "a\"b'c")
        .containsEntry("entity_id", "entity_id")
        .hasSize(6);
  }

  @Test
  void propose_compositeKeys_areSplitAndTyped() throws SQLException {
    fixture
        .old()
        .execute(
            """
            INSERT INTO online_features VALUES ('pairs', '1:a', '{}'), ('pairs', '2:b', '{}'),
              ('single', '7', '{}'), ('mixed', '1:2', '{}'), ('mixed', '3', '{}')
            """);

    List<ProposedView> views = propose(MigrationFixture.separated(":"));

    assertThat(views)
        .extracting(view ->
            view.view().featureView()
                + view.view().joinKeys().stream()
                    .map(key -> " " + key.name() + " " + key.type())
                    .collect(Collectors.joining()))
        .containsExactly(
            "mixed entity_id STRING",
            "pairs entity_id_1 INT64 entity_id_2 STRING",
            "single entity_id INT64");
    assertThat(views.get(1).view().keySeparator()).contains(":");
    assertThat(views.get(2).view().keySeparator()).isEmpty();
  }

  @Test
  void propose_rowsThatAreNone_areRefusedWithAnExample() throws SQLException {
    fixture
        .old()
        .execute(
            """
            INSERT INTO online_features VALUES ('v', '1', '[1]'), ('v', '2', NULL), ('v', '3', '{}'),
              ('v', repeat('k', 2049), '{}');
            INSERT INTO online_features VALUES ('v', '4', '{}', 'infinity')
            """);

    ProposedView view = propose(MigrationFixture.inferring()).getFirst();

    assertThat(view.problems())
        .containsExactly(
            "2 rows have features that are no JSON object, such as that of entity 1",
            "1 row has a key of more than 2,048 bytes, such as that of entity " + "k".repeat(60),
            "1 row has an event time that no calendar has, such as that of entity 4");
  }

  @Test
  void propose_toldJoinKeysThatDoNotFit_areRefused() throws SQLException {
    fixture
        .old()
        .execute("INSERT INTO online_features VALUES ('v', '007', '{}'), ('v', '8', '{}')");

    ProposedView view =
        propose(
                MigrationFixture.file(
                    """
                    {"views": [{"feature_view": "v", "join_keys": [{"name": "id", "type": "INT64"}]}]}
                    """))
            .getFirst();

    assertThat(view.problems())
        .containsExactly("1 row has a key that is none of id INT64, such as that of entity 007");
    assertThat(propose(MigrationFixture.inferring()).getFirst().view().joinKeys())
        .singleElement()
        .hasToString("JoinKey[name=entity_id, type=STRING]");
  }

  @Test
  void propose_declaredView_takesItsFeaturesAndNothingIsInferred() throws SQLException {
    fixture
        .old()
        .execute(
            """
            INSERT INTO online_features VALUES ('v', '1', '{"total": 1.5, "count": 2, "old": true}')
            """);
    DeclaredView declared =
        new DeclaredView(
            TestDefinitions.view("v", "orders", "{\"name\": \"v\", \"source\": \"orders\"}"),
            List.of(
                new Feature("total", new FeatureType.Decimal(10, 2)),
                new Feature("count", Primitive.INT64),
                new Feature("later", Primitive.STRING)));

    ProposedView undecided = propose(declared(declared, "{\"views\": []}")).getFirst();
    ProposedView view =
        propose(
                declared(
                    declared, "{\"views\": [{\"feature_view\": \"v\", \"ignored\": [\"old\"]}]}"))
            .getFirst();

    assertThat(undecided.problems())
        .containsExactly(
            "feature old is none of the declared view's: declare it, or list it as ignored in a schema file");
    assertThat(view.problems()).isEmpty();
    assertThat(view.view().inferred()).isFalse();
    assertThat(view.view().columns()).isEqualTo(declared.features());
    assertThat(view.view().joinKeys()).isEqualTo(declared.definition().joinKeys());
    assertThat(view.notes())
        .containsExactly("feature later is declared, and no row has it: it is NULL");
  }

  @Test
  void propose_viewDeclaredAsJson_isAProblem() throws SQLException {
    fixture.old().execute("INSERT INTO online_features VALUES ('v', '1', '{\"n\": 1}')");
    String json = "{\"name\": \"v\", \"source\": \"orders\", \"storage\": \"jsonb\"}";
    DeclaredView declared =
        new DeclaredView(
            TestDefinitions.view("v", "orders", Storage.JSONB, json),
            List.of(new Feature("n", Primitive.INT64)));

    assertThat(propose(declared(declared, "{\"views\": []}")).getFirst().problems())
        .singleElement()
        .asString()
        .startsWith("it is declared with \"storage\": \"jsonb\"");
  }

  @Test
  void propose_emptyTableOrUnknownView_isAProblem() throws SQLException {
    assertThat(fixture.show(MigrationFixture.inferring()).proposal().orElseThrow().problems())
        .containsExactly("table public.online_features has no rows");
    fixture.old().execute("INSERT INTO online_features VALUES ('v', '1', '{}')");
    MigrationReport report =
        fixture.show(MigrationFixture.file("{\"views\": [{\"feature_view\": \"w\"}]}"));
    assertThat(report.state()).isEqualTo(MigrationReport.State.REFUSED);
    assertThat(report.proposal().orElseThrow().problems())
        .containsExactly("the schema file has a view 'w' that the table has no rows of");
  }

  @Test
  void schema_ofAProposal_proposesTheSameAndNothingIsInferred() throws SQLException {
    fixture
        .old()
        .execute(
            """
            INSERT INTO online_features VALUES ('My View', '1:a', '{"A b": 1.5, "c": [1]}')
            """);
    MigrationReport report = fixture.show(MigrationFixture.separated(":"));
    assertThat(report.state()).isEqualTo(MigrationReport.State.SHOWN);

    List<ProposedView> again = propose(MigrationFixture.file(report.plan().schema().toString()));

    assertThat(again.getFirst().view().inferred()).isFalse();
    assertThat(new MigrationPlan(List.of(again.getFirst().view())).schema())
        .isEqualTo(report.plan().schema());
    assertThat(MigrationPlan.parse(report.plan().stored())).isEqualTo(report.plan());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"views\": 1} | the schema file: views: expected an array",
        "{\"veiws\": []} | the schema file: unknown key 'veiws'",
        "{\"views\": [{}]} | at /views/0: feature_view is missing",
        "{\"views\": [{\"feature_view\": \"v\", \"view\": \"V\"}]} | 'V' can't be the name of a view",
        "{\"views\": [{\"feature_view\": \"v\", \"view\": \"features\"}]} | 'features' can't be",
        "{\"views\": [{\"feature_view\": \"v\", \"key_separator\": \"\"}]} | key_separator is empty",
        "{\"views\": [{\"feature_view\": \"v\"}, {\"feature_view\": \"v\"}]} | at /views/1: feature_view 'v' is there twice",
        "{\"views\": [{\"feature_view\": \"v\", \"join_keys\": [{\"name\": \"k\", \"type\": \"JSON\"}]}]} | a join key is INT32",
        "{\"schema\": {\"views\": [{\"feature_view\": \"v\", \"features\": [{\"from\": \"a\", \"type\": \"INT\"}]}]}} | at /schema/views/0/features/0: 'INT' is no type",
        "{\"views\": [{\"feature_view\": \"v\", \"features\": [{\"from\": \"a\", \"name\": \"entity_key\"}]}]} | 'entity_key' can't be the name of a feature",
        "{\"views\": [{\"feature_view\": \"v\", \"ignored\": [1]}]} | at /views/0/ignored/0: expected a string",
        "[1 | the schema file is no JSON"
      })
  void parse_schemaFileWithAMistake_saysWhere(String text, String message) {
    assertThatThrownBy(() -> SchemaFile.parse(text))
        .isInstanceOfSatisfying(
            FeatureException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_CONFIG))
        .hasMessageContaining(message);
  }

  private void insert(String values) throws SQLException {
    int key = 1;
    for (String value : values.split("; ", -1)) {
      fixture
          .old()
          .execute(
              "INSERT INTO online_features VALUES ('v', '%d', '{\"a\": %s}')"
                  .formatted(key++, value));
    }
  }

  private static SchemaRequest told(String type) {
    return MigrationFixture.file(
        """
        {"views": [{"feature_view": "v", "features": [{"from": "a", "type": "%s"}]}]}
        """
            .formatted(type));
  }

  private static SchemaRequest declared(DeclaredView view, String schemaFile) {
    return new SchemaRequest(
        SchemaFile.parse(schemaFile),
        name -> Optional.of(view).filter(v -> v.definition().name().equals(name)),
        Optional.empty());
  }

  private List<ProposedView> propose(SchemaRequest schema) {
    return fixture.show(schema).proposal().orElseThrow().views();
  }
}
