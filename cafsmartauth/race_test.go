//go:build race

package cafsmartauth

const raceEnabled = true
