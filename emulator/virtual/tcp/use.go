package tcp

// What the program at an end of a connection may ask.

// Closed tells whether nothing can be written any more: this end has closed, or the connection is gone.
func (e *Conn) Closed() bool { return e.closed || e.state == stateClosed }

// Gone tells whether there is no connection any more.
func (e *Conn) Gone() bool { return e.state == stateClosed }

// Established tells whether the handshake is over and the connection still there.
func (e *Conn) Established() bool { return e.state == stateOpen }

// Settled tells whether this end has closed and the other end knows: only late segments may still come.
func (e *Conn) Settled() bool { return e.settled }

// PeerClosed tells whether the other end has sent all, and it has come.
func (e *Conn) PeerClosed() bool { return e.finIn }

// Unit is the device whose packets they are.
func (e *Conn) Unit() int32 { return e.unit }

// Arrived is the stream offset up to which bytes have arrived in order, Read up to which the program has read them, Written up to which
// it has written its own.
func (e *Conn) Arrived() int64 { return e.rnxt }

// Read is how many bytes of the stream the application has read.
func (e *Conn) Read() int64 { return e.win.read }

// Written is how many bytes the application has written.
func (e *Conn) Written() int64 { return e.out.end }

// Place is where the connection's stream begins in the home's noise: a number of its own, which both ends' programs may draw from.
func (e *Conn) Place() uint64 { return e.out.place }
