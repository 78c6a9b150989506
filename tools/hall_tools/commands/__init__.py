"""One module a `hall` subcommand: options, output and exit codes; the work is done elsewhere."""
