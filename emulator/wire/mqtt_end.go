package wire

// mqttTopic is the length of a connection's topic, letters.
const mqttTopic = 8

// mqttKeepAlive is what a client says of how often it will be heard, s: AWS IoT's default and most. No broker of ours counts.
const mqttKeepAlive = 1200

// mqttPing is the size of a PINGREQ and of a PINGRESP, bytes.
const mqttPing = 2

// MQTTEnd is what one end of a connection says, message by message, each of a given size: first a CONNECT, or the CONNACK;
// then, where the device subscribes, its SUBSCRIBE, or the SUBACK and whatever waited for the device; then PUBLISH packets
// at QoS 0, and pings for messages of two bytes. Sizes are those that package devices allows: 2, or 5 and more. Not safe for
// concurrent use.
type MQTTEnd struct {
	device     bool
	subscribes bool
	name       string
	topic      [mqttTopic]byte
	said       int // messages so far
}

// NewMQTTEnd returns an end before its first message, with a topic of its own. name is what the device's client is called.
func NewMQTTEnd(r Rand, device, subscribes bool, name string) *MQTTEnd {
	e := &MQTTEnd{device: device, subscribes: subscribes, name: name}
	AppendText(e.topic[:0], r, mqttTopic)
	return e
}

// AppendMessage appends a message of size bytes in all.
func (e *MQTTEnd) AppendMessage(b []byte, r Rand, size int) []byte {
	for rest := size; rest > 0; {
		start := len(b)
		var n int
		b, n = e.AppendPacketHead(b, r, size, rest)
		b = AppendRandom(b, r, n-(len(b)-start))
		rest -= n
	}
	return b
}

// AppendPacketHead appends the head of the next packet of a message of size bytes, of which rest are still to come, and
// returns the whole packet's size; random bytes fill it up. What is not a PUBLISH is all head.
func (e *MQTTEnd) AppendPacketHead(b []byte, r Rand, size, rest int) (head []byte, n int) {
	start := len(b)
	if rest == size {
		e.said++
	}
	switch {
	case e.said == 1 && e.device:
		b = AppendMQTTConnect(b, r, e.name, size, mqttKeepAlive)
	case e.said == 1:
		b = AppendMQTTConnack(b)
	case e.said == 2 && e.subscribes && e.device:
		b = AppendMQTTSubscribe(b, 1, e.topic[:])
	case e.said == 2 && e.subscribes && rest == size:
		b = AppendMQTTSuback(b, 1)
	case size == mqttPing && e.device:
		b = AppendMQTTPingreq(b)
	case size == mqttPing:
		b = AppendMQTTPingresp(b)
	default:
		n = mqttPart(rest)
		b, _ = appendPublishHead(b, 0, e.topic[:max(min(mqttTopic, n-mqttPublishHead(n)), 1)], n)
		return b, n
	}
	return b, len(b) - start
}

// mqttPublishHead is the size of a PUBLISH of n bytes without its topic and payload.
func mqttPublishHead(n int) int { return 1 + lengthSize(n-2) + 2 }

// mqttPart is the size of the first packet of so many bytes: all of them, or half where no packet has that size.
func mqttPart(size int) int {
	if rest := fit(size, 3); 1+lengthSize(rest)+rest != size {
		return size / 2
	}
	return size
}
