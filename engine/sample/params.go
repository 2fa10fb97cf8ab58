package sample

// Params says how a token is chosen. The zero value is greedy decoding without penalties.
type Params struct {
	// Temperature divides the logits; 0 takes the most likely token, and then nothing but penalties, biases and bans has a say.
	Temperature float32 `yaml:"temperature" help:"randomness: 0 always takes the most likely token" default:"0.7" range:"0..5"`
	// TopK keeps the k most likely tokens; 0 keeps all.
	TopK int `yaml:"top_k" help:"keep only the k most likely tokens, 0 keeps all" default:"0" range:"0..1000000"`
	// TopP keeps the smallest set of likely tokens whose probability reaches p (nucleus, arXiv 1904.09751); 0 and 1 keep all.
	TopP float32 `yaml:"top_p" help:"keep the most likely tokens that together reach this probability" default:"0.95" range:"0..1"`
	// MinP keeps tokens at least p times as likely as the most likely one (arXiv 2407.01082); 0 keeps all.
	MinP float32 `yaml:"min_p" help:"keep tokens at least this share as likely as the best one" default:"0" range:"0..1"`
	// TypicalP keeps the tokens whose surprise is nearest to the entropy, until their probability reaches p (arXiv 2202.00666);
	// 0 and 1 keep all.
	TypicalP float32 `yaml:"typical_p" help:"keep the tokens of about the expected surprise that together reach this probability, 0 and 1 keep all" default:"0" range:"0..1"`
	// TopNSigma keeps logits at most n standard deviations below the largest (arXiv 2411.07641); 0 keeps all.
	TopNSigma float32 `yaml:"top_n_sigma" help:"keep tokens whose logit is at most so many standard deviations below the best, 0 keeps all" default:"0" range:"0..100"`
	// TopH keeps the most likely of the 100 best tokens until their part of the entropy exceeds this share of it
	// (arXiv 2509.02510); 0 keeps all.
	TopH float32 `yaml:"top_h" help:"keep the most likely tokens that hold this share of the entropy, 0 keeps all" default:"0" range:"0..1"`
	// EpsilonCutoff keeps tokens at least so probable; EtaCutoff lowers that bound where the entropy is high
	// (both arXiv 2210.15191); 0 keeps all.
	EpsilonCutoff float32 `yaml:"epsilon_cutoff" help:"keep tokens of at least this probability, 0 keeps all" default:"0" range:"0..1"`
	EtaCutoff     float32 `yaml:"eta_cutoff" help:"as epsilon_cutoff, less where many tokens are likely, 0 keeps all" default:"0" range:"0..1"`
	// XTCProbability is the chance that all tokens above XTCThreshold but the least likely of them are left out
	// (exclude top choices, github.com/oobabooga/text-generation-webui, pull request 6335).
	XTCProbability float32 `yaml:"xtc_probability" help:"chance that the most likely tokens are left out so that the reply is less usual, 0 never does" default:"0" range:"0..1"`
	XTCThreshold   float32 `yaml:"xtc_threshold" help:"with xtc_probability: tokens at least this probable are left out, but for the least likely of them" default:"0.1" range:"0..1"`
	// MinKeep: top_p, min_p, typical_p, epsilon_cutoff, eta_cutoff and xtc leave at least so many tokens; 0 is 1.
	MinKeep int `yaml:"min_keep" help:"fewest tokens that a step which leaves tokens out must keep" default:"1" range:"0..1000000"`
	// DynatempRange makes the temperature follow the entropy, between temperature − range and temperature + range: that of
	// (entropy / largest possible entropy) to the power of DynatempExponent in between (llama.cpp).
	DynatempRange    float32 `yaml:"dynatemp_range" help:"temperature moves by up to this much, lower where the model is sure, 0 keeps it still" default:"0" range:"0..5"`
	DynatempExponent float32 `yaml:"dynatemp_exponent" help:"how the temperature follows the model's uncertainty with dynatemp_range" default:"1" range:"0..10"`
	// Mirostat 2 keeps the surprise of the reply near MirostatTau bits, moving by the rate MirostatEta (arXiv 2007.14966). It
	// stands in the place of all steps that leave tokens out.
	Mirostat    int     `yaml:"mirostat" help:"2 keeps the surprise of the text near mirostat_tau instead of top_k, top_p and the like" default:"0" range:"0|2"`
	MirostatTau float32 `yaml:"mirostat_tau" help:"bits of surprise of a token that mirostat aims at" default:"5" range:"0..100"`
	MirostatEta float32 `yaml:"mirostat_eta" help:"how fast mirostat corrects itself" default:"0.1" range:"0..1"`
	// RepetitionPenalty divides positive and multiplies negative logits of tokens seen in prompt or reply
	// (CTRL, arXiv 1909.05858); 0 and 1 are off.
	RepetitionPenalty float32 `yaml:"repetition_penalty" help:"above 1 makes tokens seen before less likely" default:"1" range:"0..10"`
	// PresencePenalty is subtracted once from the logit of each token generated before (OpenAI API).
	PresencePenalty float32 `yaml:"presence_penalty" help:"taken off tokens that were generated before" default:"0" range:"-2..2"`
	// FrequencyPenalty is subtracted once for each time the token was generated before (OpenAI API).
	FrequencyPenalty float32 `yaml:"frequency_penalty" help:"taken off tokens for each time they were generated" default:"0" range:"-2..2"`
	// RepeatLastN: the three penalties look back on so many tokens; 0 is all of them.
	RepeatLastN int `yaml:"repeat_last_n" help:"tokens that the three penalties look back on, 0 is all" default:"0" range:"0..10000000"`
	// NoRepeatNGram: no run of so many tokens comes twice, the prompt counts; 0 is off.
	NoRepeatNGram int `yaml:"no_repeat_ngram" help:"no run of so many tokens may come twice, 0 is off" default:"0" range:"0..1000"`
	// DRYMultiplier · DRYBase^(n − DRYAllowedLength) is taken off the token that would make a run of n + 1 tokens that was there
	// before, runs not going back beyond a breaker ("don't repeat yourself", text-generation-webui, pull request 5637); 0 is off.
	DRYMultiplier    float32  `yaml:"dry_multiplier" help:"taken off tokens that would go on repeating a run of the text, 0 is off" default:"0" range:"0..100"`
	DRYBase          float32  `yaml:"dry_base" help:"by how much dry's penalty grows with each token of a repeated run" default:"1.75" range:"1..10"`
	DRYAllowedLength int      `yaml:"dry_allowed_length" help:"repeated runs of so many tokens cost nothing with dry" default:"2" range:"0..1000"`
	DRYLastN         int      `yaml:"dry_last_n" help:"tokens that dry looks back on, 0 is all" default:"0" range:"0..10000000"`
	DRYBreakers      []string `yaml:"dry_breakers" help:"texts that a repeated run cannot go beyond with dry" default:"[\"\\n\",\":\",\"\\\"\",\"*\"]"`
	// Order names the order of the steps, or lists them: see the package.
	Order []string `yaml:"order" help:"order of the steps: hf, llama.cpp, or a list of steps such as penalties,top_k,temperature"`
	// Seed keys the draws together with the position.
	Seed uint64 `yaml:"seed" help:"random seed: the same seed gives the same text" default:"0"`
	// LogitBias is added to the logits of single tokens, before everything else (OpenAI API).
	LogitBias map[int32]float32 `yaml:"-"`
	// SequenceBias is added to the logit of the last token of a sequence where the others have just come.
	SequenceBias []SequenceBias `yaml:"-"`
	// BadWords never appear as the tokens that the tokenizer makes of them, alone or after a space. Whoever has the tokenizer
	// turns them into Banned.
	BadWords []string `yaml:"bad_words" help:"texts that the reply must not contain, as the tokens they are"`
	// Banned sequences are never completed. A sequence of one token that ends the reply is not banned (transformers).
	Banned [][]int32 `yaml:"-"`
	// MinTokens: the tokens and texts that end a reply do not before it has so many tokens.
	MinTokens int `yaml:"min_tokens" help:"shortest reply in tokens" default:"0" range:"0..10000000"`
	// MaxTokens ends the reply after so many tokens; 0 leaves it to the caller. The sampler does not look at it.
	MaxTokens int `yaml:"max_tokens" help:"longest reply in tokens, 0 means as long as the context allows" default:"0" range:"0..10000000"`
	// Stop ends the reply before any of these texts. The sampler does not look at it.
	Stop []string `yaml:"stop" help:"texts that end the reply"`
}

// SequenceBias is what is added to a sequence's last token. Negative infinity bans it.
type SequenceBias struct {
	IDs  []int32
	Bias float32
}
