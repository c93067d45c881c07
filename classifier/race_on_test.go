//go:build race

package classifier

// raceDetector: with it, sync.Pool deliberately drops a quarter of the items put into it.
const raceDetector = true
