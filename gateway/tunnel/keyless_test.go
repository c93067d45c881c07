package tunnel

import (
	"net"
	"strings"
	"testing"
)

// recorded keeps what is written to it.
type recorded struct {
	net.Conn
	b strings.Builder
}

func (r *recorded) Write(p []byte) (int, error) { return r.b.Write(p) }

// An answer loses its secret keys, and nothing else, however the engine's writes cut it.
func TestKeylessAnswers(t *testing.T) {
	const answer = "private_key=00aa\nlisten_port=51820\npublic_key=bb\npreshared_key=cc\nendpoint=198.18.0.1:51820\nrx_bytes=1\nerrno=0\n\n"
	want := strings.NewReplacer("private_key=00aa\n", "", "preshared_key=cc\n", "").Replace(answer)
	for size := 1; size <= len(answer); size++ {
		to := &recorded{}
		k := &keyless{Conn: to}
		for rest := answer; rest != ""; {
			n := min(size, len(rest))
			if got, err := k.Write([]byte(rest[:n])); got != n || err != nil {
				t.Fatalf("writes of %d: %d, %v", size, got, err)
			}
			rest = rest[n:]
		}
		if got := to.b.String(); got != want {
			t.Fatalf("writes of %d: %q", size, got)
		}
	}
}
