// Package house keeps the rules of the repository as tests: which package may
// import which, what every package and dependency must say of itself, that what is
// generated is up to date, that both languages say the same, that the program
// builds wherever it should.
//
// It guarantees nothing to users and has no code of its own; a rule that is not
// here is not a rule. A rule that must be broken is changed here, with its reason.
package house
