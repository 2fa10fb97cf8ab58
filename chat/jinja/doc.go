// Package jinja runs the chat templates that models are published with: the
// dialect of Jinja2 that Hugging Face transformers sets up (trimmed blocks,
// loop controls, generation blocks, a sandbox whose values cannot be changed).
//
// It guarantees Python's meaning where templates depend on it (ordered
// dictionaries, text as code points, JSON and number forms, slices, string
// methods), and it knows for every byte of the output where it came from: the
// template, or one of the caller's values (see [Origin]). Origins survive
// joining, slicing, trimming, replacing, splitting, JSON and macros.
//
// It refuses what could hurt the caller: there is no loading of other
// templates, no attribute that leads out of the data, and every rendering has
// limits on steps, depth, output and memory (see [Limits]), so that no template
// can hang or exhaust the machine.
//
// Source: Jinja2 3.1 (jinja.palletsprojects.com) and transformers'
// utils/chat_template_utils.py.
package jinja
