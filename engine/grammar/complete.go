package grammar

// Complete closes a text of the language that was cut, because a limit of tokens was
// reached within it: it returns the text with a shortest end that makes it whole. A
// text that is whole stays as it is; one that does not begin a text of the language
// is an error.
func (g *Grammar) Complete(text string) (string, error) {
	m := NewMatcher(g, NewVocabulary(func(int32) []byte { return nil }, 0, nil))
	if err := m.AcceptBytes([]byte(text)); err != nil {
		return text, err
	}
	return text + string(m.Completion()), nil
}
