package io.featureduck.architecture;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import org.jspecify.annotations.NullMarked;

/** Holds what ARCHITECTURE.md says of modules and packages. */
@AnalyzeClasses(
    packages = "io.featureduck",
    importOptions = {ImportOption.DoNotIncludeTests.class, ArchitectureTest.NoTestJars.class})
class ArchitectureTest {
  /** What modules share for tests comes as a jar where the whole is built. */
  static final class NoTestJars implements ImportOption {
    @Override
    public boolean includes(Location location) {
      return !location.contains("-tests.jar");
    }
  }

  private static final String[] CORE = {
    "io.featureduck.config..",
    "io.featureduck.definition..",
    "io.featureduck.dialect..",
    "io.featureduck.error..",
    "io.featureduck.expression..",
    "io.featureduck.json..",
    "io.featureduck.key..",
    "io.featureduck.plan..",
    "io.featureduck.type.."
  };

  private static final String[] MATERIALIZER = {
    "io.featureduck.engine..",
    "io.featureduck.event..",
    "io.featureduck.freshness..",
    "io.featureduck.registry..",
    "io.featureduck.migrate..",
    "io.featureduck.run..",
    "io.featureduck.source..",
    "io.featureduck.store.."
  };

  private static final String[] SERVER = {
    "io.featureduck.feast..",
    "io.featureduck.http..",
    "io.featureduck.lookup..",
    "io.featureduck.main..",
    "io.featureduck.metrics..",
    "io.featureduck.sample.."
  };

  @ArchTest
  static final ArchRule EVERY_PACKAGE_BELONGS_TO_A_MODULE =
      classes().should().resideInAnyPackage(concat(CORE, MATERIALIZER, SERVER));

  @ArchTest
  static final ArchRule CORE_KNOWS_NOTHING_ABOVE_IT =
      noClasses()
          .that()
          .resideInAnyPackage(CORE)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(concat(MATERIALIZER, SERVER));

  @ArchTest
  static final ArchRule MATERIALIZER_KNOWS_NOTHING_ABOVE_IT =
      noClasses()
          .that()
          .resideInAnyPackage(MATERIALIZER)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(SERVER);

  @ArchTest
  static final ArchRule CORE_KNOWS_NO_SERVER_AND_NO_DATABASE =
      noClasses()
          .that()
          .resideInAnyPackage(CORE)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "io.vertx..",
              "io.netty..",
              "java.sql..",
              "javax.sql..",
              "org.duckdb..",
              "org.postgresql..",
              "org.flywaydb..");

  /** The sample store fills a source of its own; what serves reads without blocking. */
  @ArchTest
  static final ArchRule JDBC_IS_THE_MATERIALIZERS =
      noClasses()
          .that()
          .resideInAnyPackage(SERVER)
          .and()
          .resideOutsideOfPackages("io.featureduck.sample..")
          .should()
          .dependOnClassesThat(
              DescribedPredicate.describe(
                  "speak JDBC",
                  type ->
                      !type.getName().equals("java.sql.SQLException")
                          && (type.getPackageName().startsWith("java.sql")
                              || type.getPackageName().startsWith("javax.sql")
                              || type.getPackageName().startsWith("org.duckdb")
                              || type.getPackageName().startsWith("org.postgresql")
                              || type.getPackageName().startsWith("org.flywaydb"))));

  @ArchTest
  static final ArchRule PACKAGES_HAVE_NO_CYCLES =
      slices().matching("io.featureduck.(*)..").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule NOTHING_IS_NAMED_AFTER_NOTHING =
      noClasses().should().haveNameMatching(".*(Utils?|Manager|Helpers?|Impl)");

  @ArchTest
  static final ArchRule NO_PACKAGE_IS_A_DRAWER =
      noClasses()
          .should()
          .resideInAnyPackage("..util..", "..utils..", "..common..", "..impl..", "..helpers..");

  @ArchTest
  static final ArchRule CLASSES_ARE_FINAL_OR_MADE_TO_BE_EXTENDED =
      classes()
          .that()
          .areTopLevelClasses()
          .and()
          .areNotInterfaces()
          .and()
          .areNotEnums()
          .and()
          .doNotHaveSimpleName("package-info")
          .should(haveAModifierOf(JavaModifier.FINAL, JavaModifier.ABSTRACT));

  @ArchTest
  static final ArchRule PACKAGES_ARE_NULL_MARKED =
      classes().that().haveSimpleName("package-info").should().beAnnotatedWith(NullMarked.class);

  private static com.tngtech.archunit.lang.ArchCondition<JavaClass> haveAModifierOf(
      JavaModifier... modifiers) {
    return com.tngtech.archunit.lang.conditions.ArchConditions.have(
        DescribedPredicate.describe(
            "a modifier of " + java.util.Arrays.toString(modifiers),
            type -> java.util.Arrays.stream(modifiers).anyMatch(type.getModifiers()::contains)));
  }

  private static String[] concat(String[]... parts) {
    return java.util.Arrays.stream(parts).flatMap(java.util.Arrays::stream).toArray(String[]::new);
  }
}
