package step

import "time"

// processBegun stands for the start of processor time where the system does not tell it.
var processBegun = time.Now()
