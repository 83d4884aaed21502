// Package pollsim measures polling policies on a simulated tenant: the shipped
// nafath.Poller and simpler policies against the fake provider, called without a
// network, in the virtual time of a testing/synctest bubble. The package's test holds the
// Poller to its goals; the command beside it prints the full table.
//
// Bound computes what no policy can beat that does not know the future.
package pollsim
