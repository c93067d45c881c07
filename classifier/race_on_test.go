//go:build race

package classifier

// raceDetector: sync.Pool then drops a quarter of what is put into it, on purpose.
const raceDetector = true
