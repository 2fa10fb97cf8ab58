package chat

import "fmt"

// judgeTask is what a model is told that is to say whether a document answers a query.
const judgeTask = `You judge search results. Decide whether the document helps to answer the query. Reply with one word, "yes" or "no".`

// JudgeMessages ask a model whether a document answers a query, as a question with the answer yes or no. instruction, if there is one,
// says what makes a document fit.
func JudgeMessages(instruction, query, document string) []Message {
	task := judgeTask
	if instruction != "" {
		task += "\n" + instruction
	}
	return []Message{SystemMessage(task), UserMessage(fmt.Sprintf("Query: %s\n\nDocument: %s", query, document))}
}
