//go:build !race

package cafsmartauth

const raceEnabled = false
