// Package upload streams multipart forms whose files come from a caller's
// readers. Nothing of a file is held in memory but one chunk, and the reader is
// guarded: no two Reads of it overlap, a Read that hangs holds up no call, and
// a send that was given up gets nothing more of it.
//
// A [Form] takes fields and files in the order they are sent in. A file is a
// [Source], which its owner may look into, or hold in memory, before it is put
// into the form. [Form.Body] is the request body and [Form.Finish], after the
// call, tells what a reader did wrong.
//
// A Form and its Sources serve one call and are prepared by one goroutine; the
// body may then be read and closed by any.
package upload
