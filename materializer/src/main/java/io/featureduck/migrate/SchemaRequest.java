package io.featureduck.migrate;

import java.util.Optional;
import java.util.function.Function;

/**
 * Where the schema of the views comes from, apart from their rows.
 *
 * @param declared returns the view that the config has under a name, if there is one; may fail
 *     where its source can't be asked
 * @param keySeparator between the values of composite keys, where the file doesn't say
 */
public record SchemaRequest(
    SchemaFile file,
    Function<String, Optional<DeclaredView>> declared,
    Optional<String> keySeparator) {}
