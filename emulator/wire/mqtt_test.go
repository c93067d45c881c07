package wire

import (
	"bytes"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"pgregory.net/rapid"

	"glasshouse/devices/profile"
	"glasshouse/emulator/wire/wiretest"
)

// welcome lets everybody do everything.
type welcome struct{ mqtt.HookBase }

func (*welcome) Provides(b byte) bool                                    { return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck }
func (*welcome) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }
func (*welcome) OnACLCheck(*mqtt.Client, string, bool) bool              { return true }

// A broker takes our client's packets and answers with the bytes that our server's functions give.
func TestMQTTTalksToABroker(t *testing.T) {
	broker := mqtt.New(&mqtt.Options{Logger: slog.New(slog.DiscardHandler), InlineClient: true})
	if err := broker.AddHook(new(welcome), nil); err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- broker.EstablishConnection("pipe", far) }()
	defer broker.Close()
	_ = near.SetDeadline(time.Now().Add(20 * time.Second))

	r := wiretest.PCG(1)
	topic := AppendText(nil, r, 20)
	said := make(chan []byte, 10)
	if err := broker.Subscribe(string(topic), 1, func(_ *mqtt.Client, _ packets.Subscription, p packets.Packet) { said <- bytes.Clone(p.Payload) }); err != nil {
		t.Fatal(err)
	}
	ask := func(what string, question, want []byte) {
		t.Helper()
		if _, err := near.Write(question); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(near, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s is answered with %x, want %x: %v", what, got, want, err)
		}
	}
	ask("CONNECT", AppendMQTTConnect(nil, r, "name", 60, 30), AppendMQTTConnack(nil))
	ask("SUBSCRIBE", AppendMQTTSubscribe(nil, 7, []byte("elsewhere")), AppendMQTTSuback(nil, 7))
	publish := AppendMQTTPublish(nil, r, 0x1234, topic, 500)
	ask("PUBLISH", publish, AppendMQTTPuback(nil, 0x1234))
	if got := <-said; len(publish) != 500 || !bytes.HasSuffix(publish, got) || len(got) != 500-3-2-20-2 {
		t.Errorf("the broker heard %d bytes: %x", len(got), got)
	}
	publish = AppendMQTTPublish(nil, r, 0, topic, 90)
	ask("PUBLISH at QoS 0 and PINGREQ", AppendMQTTPingreq(publish), AppendMQTTPingresp(nil))
	if got := <-said; len(got) != 90-2-2-20 {
		t.Errorf("the broker heard %d bytes: %x", len(got), got)
	}
	if _, err := near.Write(AppendMQTTDisconnect(nil)); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Packets have the size that was wished, but where no packet has it.
func TestMQTTPacketsHaveTheirSizes(t *testing.T) {
	impossible := func(size int) bool { return size == 2+1<<7 || size == 3+1<<14 }
	for size := range 17_000 {
		if size > 600 && size < 16_300 {
			continue // nothing changes in between
		}
		for _, c := range []struct {
			what        string
			size, least int
		}{
			{"CONNECT", len(AppendMQTTConnect(nil, wiretest.PCG(1), "", size, 60)), 15},
			{"PUBLISH", len(AppendMQTTPublish(nil, wiretest.PCG(1), 1, []byte("abcd"), size)), 10},
			{"PUBLISH at QoS 0", len(AppendMQTTPublish(nil, wiretest.PCG(1), 0, []byte("abcd"), size)), 8},
		} {
			want := max(size, c.least)
			if impossible(size) {
				want++
			}
			if c.size != want {
				t.Fatalf("%s of %d bytes has %d", c.what, size, c.size)
			}
		}
	}
}

// What was written is read as it was meant, by a decoder that is not ours.
func TestMQTTIsReadAsMeant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := wiretest.PCG(rapid.Uint64().Draw(t, "seed"))
		id := rapid.Uint16().Draw(t, "id")
		topic := AppendText(nil, r, rapid.IntRange(1, 60).Draw(t, "topic"))
		b := AppendMQTTPublish(nil, r, id, topic, rapid.IntRange(0, 200_000).Draw(t, "size"))
		var head packets.FixedHeader
		if err := head.Decode(b[0]); err != nil {
			t.Fatal(err)
		}
		rest, n, err := packets.DecodeLength(bytes.NewBuffer(b[1:]))
		if err != nil || 1+n+rest != len(b) {
			t.Fatalf("a length of %d in %d bytes: %v", rest, len(b), err)
		}
		head.Remaining = rest
		p := packets.Packet{ProtocolVersion: 4, FixedHeader: head}
		if err := p.PublishDecode(b[1+n:]); err != nil {
			t.Fatal(err)
		}
		if p.PacketID != id || p.TopicName != string(topic) || head.Qos != min(byte(id>>8|id&0xff), 1) {
			t.Errorf("read as %+v", p)
		}
	})
}

// Both ends say messages of exactly the sizes asked for, each of which a broker's decoder reads as whole packets.
func TestMQTTEndsKeepTheirSizes(t *testing.T) {
	name := base64.RawURLEncoding.EncodeToString(make([]byte, 16))
	for _, subscribes := range []bool{false, true} {
		for _, device := range []bool{false, true} {
			e, r := NewMQTTEnd(wiretest.PCG(3), device, subscribes, name), wiretest.PCG(4)
			first, second := 224, profile.MQTTSubscribe
			if !device {
				first, second = profile.MQTTConnack, profile.MQTTSuback+300
			}
			sizes := []int{first}
			if subscribes {
				sizes = append(sizes, second)
			}
			kinds := map[byte]int{}
			for size := profile.MQTTPublish; size < 16_500; size++ {
				if size < 300 || size > 16_300 {
					sizes = append(sizes, size)
				}
			}
			sizes = append(sizes, profile.MQTTPing, 2097156)
			for _, size := range sizes {
				b := e.AppendMessage([]byte("before"), r, size)[6:]
				if len(b) != size {
					t.Fatalf("a message of %d bytes has %d", size, len(b))
				}
				for len(b) > 0 {
					rest, n, err := packets.DecodeLength(bytes.NewBuffer(b[1:]))
					if err != nil || 1+n+rest > len(b) {
						t.Fatalf("a message of %d bytes: %x, %v", size, b[:min(len(b), 8)], err)
					}
					kinds[b[0]>>4]++
					if b[0]>>4 == packets.Publish {
						p := packets.Packet{ProtocolVersion: 4, FixedHeader: packets.FixedHeader{Type: packets.Publish, Remaining: rest}}
						if err := p.PublishDecode(b[1+n : 1+n+rest]); err != nil || len(p.TopicName) == 0 {
							t.Fatalf("a PUBLISH of %d bytes: %v, topic %q", size, err, p.TopicName)
						}
					}
					b = b[1+n+rest:]
				}
			}
			said := []byte{packets.Connect, packets.Subscribe, packets.Pingreq}
			if !device {
				said = []byte{packets.Connack, packets.Suback, packets.Pingresp}
			}
			want := []int{1, 0, 1}
			if subscribes {
				want[1] = 1
			}
			for i, kind := range said {
				if kinds[kind] != want[i] {
					t.Errorf("device %t, subscribes %t: %d packets of type %d", device, subscribes, kinds[kind], kind)
				}
			}
		}
	}
}

func TestMQTTEndAllocatesNothing(t *testing.T) {
	e, r, buf := NewMQTTEnd(wiretest.PCG(3), true, false, "n"), wiretest.PCG(4), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = e.AppendPacketHead(buf, r, 200, 200)
		_, _ = e.AppendPacketHead(buf, r, 2, 2)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
