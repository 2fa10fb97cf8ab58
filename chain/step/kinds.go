package step

import "lian/chain"

// Kinds are all that a recipe's steps can be.
func Kinds() chain.Kinds {
	return chain.KindSet(
		dataKind(), instructKind(), planKind(), tokenizerKind(), shardsKind(), pretrainKind(), finetuneKind(), mergeKind(),
		quantizeKind(), evalKind(), serveKind(), agentKind(),
	)
}
