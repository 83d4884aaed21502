// Package auth obtains, caches, attaches and mints access tokens.
package auth
