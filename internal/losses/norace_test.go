//go:build !race

package losses

// raceDetected says that everything takes several times as long as usual.
const raceDetected = false
