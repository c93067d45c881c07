package parquetfile

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Wire types of Thrift's compact protocol (thrift-compact-protocol.md, "Struct encoding").
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// maxThriftDepth is far above what Parquet's footer needs: five structs within each other.
const maxThriftDepth = 16

var errThrift = errors.New("damaged Thrift structure")

// thriftSpan returns how many bytes the struct at the beginning of b has. Every length and count in it fits the bytes that follow: the
// library allocates what a list's count claims before it reads an element.
func thriftSpan(b []byte) (int, error) {
	w := thriftWalk{b: b}
	err := w.structure(0)
	return w.at, err
}

type thriftWalk struct {
	b  []byte
	at int
}

func (w *thriftWalk) skip(n uint64) error {
	if n > uint64(len(w.b)-w.at) {
		return fmt.Errorf("%w: %d bytes claimed, %d there", errThrift, n, len(w.b)-w.at)
	}
	w.at += int(n)
	return nil
}

func (w *thriftWalk) next() (byte, error) {
	err := w.skip(1)
	if err != nil {
		return 0, err
	}
	return w.b[w.at-1], nil
}

func (w *thriftWalk) uvarint() (uint64, error) {
	v, n := binary.Uvarint(w.b[w.at:])
	if n <= 0 {
		return 0, errThrift
	}
	w.at += n
	return v, nil
}

// structure: (delta << 4 | type, or type and the field's number as a varint) value … · 0
func (w *thriftWalk) structure(depth int) error {
	if depth > maxThriftDepth {
		return fmt.Errorf("%w: more than %d levels", errThrift, maxThriftDepth)
	}
	for {
		head, err := w.next()
		if err != nil || head == thriftStop {
			return err
		}
		if head>>4 == 0 {
			if _, err := w.uvarint(); err != nil {
				return err
			}
		}
		kind := head & 0xf
		if kind == thriftTrue || kind == thriftFalse { // a field's truth value is its type
			continue
		}
		if err := w.value(kind, depth); err != nil {
			return err
		}
	}
}

func (w *thriftWalk) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return w.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := w.uvarint()
		return err
	case thriftDouble:
		return w.skip(8)
	case thriftBinary:
		n, err := w.uvarint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case thriftList, thriftSet:
		return w.list(depth + 1)
	case thriftStruct:
		return w.structure(depth + 1)
	default: // Parquet has no maps
		return fmt.Errorf("%w: type %d", errThrift, kind)
	}
}

// list: count << 4 | type, or 0xf0 | type and the count as a varint · elements, of a byte or more each
func (w *thriftWalk) list(depth int) error {
	if depth > maxThriftDepth {
		return fmt.Errorf("%w: more than %d levels", errThrift, maxThriftDepth)
	}
	head, err := w.next()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 0xf {
		if n, err = w.uvarint(); err != nil {
			return err
		}
	}
	if n > uint64(len(w.b)-w.at) {
		return fmt.Errorf("%w: a list of %d in %d bytes", errThrift, n, len(w.b)-w.at)
	}
	for range n {
		if err := w.value(head&0xf, depth); err != nil {
			return err
		}
	}
	return nil
}
