"""The Common Expression Language, by itself: no policy in sight.

    text --parse--> syntax --check--> CheckedExpr --interpret--> value

Hosts declare names with types and add functions, operators and types as rows of a `Library`.
"""
