// Package grammar keeps generated text inside a language: a JSON Schema, a list of choices, a regular expression,
// a grammar in llama.cpp's notation, or calls of tools. A description is compiled once to a byte-level pushdown automaton ([Grammar]); a [Matcher] walks it
// beside one sequence and says which tokens may come next.
//
// It guarantees
//   - soundness: whatever a matcher lets through to the end is in the language; for a schema it is valid JSON that the
//     schema accepts, valid UTF-8 (a sequence never ends within a character), without unpaired surrogates;
//   - no dead ends: every text that a matcher allowed can be completed, byte by byte;
//   - it fails closed: a keyword that is not understood is an error that names it and its place, before the first token.
//
// # Layout
//
// JSON is generated in one layout: after each ',' between elements and each ':' there may be one space, and there is no
// other white space. So both Python's json.dumps (', ' and ': ') and the compact form (',' and ':') are accepted.
// Properties come in the order in which the schema declares them. Strings may use any JSON escape; the keys and values
// that the schema spells out (property names, enum, const) are written with the fewest escapes. Numbers have at most 16
// digits before and 16 after the point, and an exponent of at most two digits, none where a range is asked; integers are
// written without point and exponent.
//
// # Where less is generated than the schema allows
//
// An object with "properties" and no "additionalProperties" gets its declared properties only; say
// "additionalProperties": true to have others. A schema without "type" that has keywords of a type is of that type.
// Tuples ("prefixItems") are followed by other items only if "items" says what they are. Formats are the common
// forms of formats.json.
//
// # Refused
//
// if/then/else, not, dependent…, unevaluated…, contains, uniqueItems, multipleOf, patternProperties, propertyNames,
// minProperties and maxProperties, oneOf whose branches may both match, look-around and back references in patterns, and
// references outside the document; allOf and $ref with siblings where the parts cannot be merged.
package grammar
