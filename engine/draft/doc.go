// Package draft guesses tokens that a model is about to choose, so that several can be computed in one step.
//
// A guess costs rows of a step and never a token: the engine computes the row of each drafted token along with the last one's, and at
// each row makes the choice that it would have made there anyway: the same sampler in the same state, the same mask, the draw of that
// position's own key. A draft counts as accepted when it is equal to the token chosen; at the first that is not, what the rows after
// it computed is forgotten. So the text is, bit for bit, the text without drafts, and in particular it has the model's distribution,
// at any temperature.
//
// That is a stronger promise than that of rejection sampling (Leviathan et al., arXiv 2211.17192), which accepts a draft x with
// probability min(1, p(x)/q(x)) and only keeps the distribution. There, with a drafter of distribution q, a draft is accepted with
// probability Σ min(p, q), the most that any rule can reach. Here the choice is a function of the row and the draw u ~ U[0, 1) of the
// position: for u fixed, the token is chosen, and the draft merely guesses it. A drafter that guesses x with certainty is accepted
// with probability p(x), as by rejection sampling. One that draws its guess from q with the same u agrees where both distribution
// functions fall on the same token at u: less often than Σ min(p, q) in the worst case, about as often where p and q are alike. The
// difference is only speed.
//
// Drafters: Lookup and Suffix find what followed when the text was last as it is now; Model asks a smaller model. Pace measures what
// rows cost and how often guesses are right, and says how many are worth computing: none, where it does not pay.
//
// It refuses nothing: a drafter that knows nothing guesses nothing.
package draft
