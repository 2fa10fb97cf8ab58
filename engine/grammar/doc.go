// Package grammar keeps generated text inside a language: a JSON Schema, a list of choices, a regular expression,
// a grammar in llama.cpp's notation, or calls of tools. A description is compiled once to a byte-level pushdown automaton
// ([Grammar]); a [Matcher] walks it beside one sequence and says which tokens may come next.
//
// It guarantees
//   - soundness: whatever a matcher lets through to the end is in the language; for a schema it is valid JSON that the
//     schema accepts, valid UTF-8 (a sequence never ends within a character), without unpaired surrogates;
//   - no dead ends: every text that a matcher allowed can be completed, byte by byte;
//   - it fails closed: a keyword that is not understood is an error that names it and its place, before the first token.
//
// # How a schema is compiled
//
// What applies together at one place is a term; a term is unfolded, type by type, to demands in which the choices of anyOf,
// oneOf, if and not are made ([compiler.expand], [compiler.refuse]: De Morgan's rules, keyword by keyword). A demand becomes
// states: strings and numbers by derivatives of regular languages with intersection and complement ([algebra]), arrays and
// objects by what is behind and what has to be counted. Terms are named, so references may recurse.
//
// # What is generated
//
// JSON in one layout: after each ',' between elements and each ':' there may be one space, and there is no other white space.
// So both Python's json.dumps (', ' and ': ') and the compact form (',' and ':') can come. Properties come in the order in which
// the schema declares them. Strings may use any JSON escape; what the schema spells out or has a pattern for is written with
// the fewest escapes. Numbers have at most 16 digits before and 16 after the point, and an exponent of at most two digits, none
// where anything is asked of the value; integers are written without point and exponent.
//
// A schema allows more than anyone wants generated, so of what is valid some is left out: properties that are not declared,
// unless "additionalProperties", "patternProperties" or a count asks for them; types that a schema without "type" has no keyword
// for; items after a tuple unless "items" says what they are. The items of an array with "uniqueItems", and further
// properties where "minProperties" asks for them, differ by construction: by length, by remainder, by their last character
// ([share]), place by place; so such an array is of 8 items unless it has limits of its own. Patterns are read as
// ECMA-262, Python and RE2 all read them. [Grammar.Match] accepts all that the standard does.
//
// # Refused
//
// Look-behind, back references, and assertions within a repetition in patterns; references outside the document; a $dynamicRef
// with several possible ends; format, uniqueItems and unevaluated… that must not hold; unknown keywords and formats; more
// than 4 contains or 6 patterns of properties that apply together; what needs more than 2^18 states.
package grammar
