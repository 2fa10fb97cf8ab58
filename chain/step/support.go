package step

//go:generate go test . -run ^TestSupportPage$ -update
