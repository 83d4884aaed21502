// Package storm is a whole tenant in virtual time: people with phones, replicas of
// a product built on this SDK, the fake provider, and everything that goes wrong
// between them. One seed decides the world; thousands of seeds are run.
//
// What must hold is checked by the records of the provider and of the people,
// never by the product's word: see broken.
//
//	go test ./internal/storm                                     a fixed number of seeds
//	go test ./internal/storm -run TestStorm -v -storm.seeds=5000 -storm.seed=1 -timeout=0
//
// A failure prints the seed, the first promise that broke, and what happened to
// the person concerned. The same seed makes the same world and the same plan of
// faults. What several goroutines do at one instant has no order in Go, so a
// failure that needs a certain order may need the seed more than once.
package storm
