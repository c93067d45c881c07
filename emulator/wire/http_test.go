package wire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"glasshouse/emulator/wire/wiretest"
)

// Requests have their scripted size, or more where the headers leave no choice, and parse as HTTP.
func TestHTTPRequestsHaveTheirSize(t *testing.T) {
	token := bytes.Repeat([]byte{0xab}, HTTPTokenSize)
	least := len(AppendHTTPRequest(nil, wiretest.PCG(1), "example.net", token, 0))
	for size := range 1500 {
		req := AppendHTTPRequest(nil, wiretest.PCG(1), "example.net", token, size)
		if len(req) < size || len(req) != size && size > least+len(httpPad)+len("\r\n") || size <= least && len(req) != least {
			t.Errorf("%d bytes, want %d", len(req), size)
		}
		parsed, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(req)))
		if err != nil {
			t.Fatal(err)
		}
		if got := ParseHTTPToken(parsed.URL.Path); !bytes.Equal(got[:], token) || parsed.Host != "example.net" {
			t.Errorf("%x from %s", got, parsed.URL.Path)
		}
	}
}

// Responses have their scripted size, but for the few that the digits of their length make one byte longer.
func TestHTTPResponsesHaveTheirSize(t *testing.T) {
	longer := 0
	least, _ := AppendHTTPResponse(nil, 0)
	for size := len(least); size < 200_000; size++ {
		head, body := AppendHTTPResponse(nil, size)
		if over := len(head) + body - size; over == 1 {
			longer++
		} else if over != 0 {
			t.Fatalf("%d bytes, want %d", len(head)+body, size)
		}
	}
	if longer > 5 {
		t.Errorf("%d sizes are one byte longer", longer)
	}
	head, body := AppendHTTPResponse(nil, 3000)
	resp := wiretest.Must(http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader(make([]byte, body)))), nil))(t)
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || int(n) != body || resp.StatusCode != http.StatusOK {
		t.Errorf("%d bytes of body, want %d: %v", n, body, err)
	}
	_ = resp.Body.Close()
}

func TestPathsThatAreNoToken(t *testing.T) {
	for _, path := range []string{"", "/", "/zz", "/" + strings.Repeat("g", 32)} {
		if got := ParseHTTPToken(path); got != [HTTPTokenSize]byte{} {
			t.Errorf("%q names %x", path, got)
		}
	}
}

func FuzzParseHTTPToken(f *testing.F) {
	f.Add("/00112233445566778899aabbccddeeff")
	f.Add("/a")
	f.Fuzz(func(t *testing.T, path string) {
		got := ParseHTTPToken(path)
		if !bytes.Equal(got[:], make([]byte, HTTPTokenSize)) && len(path) < 2 {
			t.Errorf("%q names %x", path, got)
		}
	})
}
