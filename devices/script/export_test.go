package script

// Span and Stretch are for the tests in package script_test.
var (
	Span    = span
	Stretch = stretch
)
