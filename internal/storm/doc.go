// Package storm is a whole tenant in virtual time: people with phones, replicas of
// a product built on this SDK, the fake provider, and everything that goes wrong
// between them. One seed decides the world; thousands of seeds are run.
//
// What must hold is checked by the records of the provider and of the people,
// never by the product's word. README.md says what holds, how to run it, and what
// it finds.
package storm
