package transport

// NewBase is the module's own base transport.
var NewBase = newBase
