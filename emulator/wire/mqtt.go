package wire

// Types of MQTT 3.1.1 control packets with their flags (MQTT 3.1.1, section 2.2).
const (
	mqttConnect   = 0x10
	mqttPublish   = 0x30
	mqttSubscribe = 0x82
)

// MQTTMaximum is the size of the largest packet that is written here, its first bytes excepted, bytes.
const MQTTMaximum = 1<<28 - 1

// AppendText appends n random letters and digits: a name that tells nothing.
func AppendText(b []byte, r Rand, n int) []byte {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for n > 0 {
		v := r.Uint64()
		for range min(n, 10) {
			b = append(b, letters[v&63])
			v >>= 6
			n--
		}
	}
	return b
}

// AppendMQTTConnect appends a CONNECT of size bytes, or as few more as it needs, at most 64 KiB: a clean session, whose
// client's name begins as given and is filled up with random text. keepAlive is how often the client says something, s.
func AppendMQTTConnect(b []byte, r Rand, name string, size int, keepAlive uint16) []byte {
	const head = 10 + 2 // protocol, level, flags, keep-alive; the name's length
	n := min(fit(size, head+max(len(name), 1))-head, 1<<16-1)
	b = appendFixed(b, mqttConnect, head+n)
	b = append(b, "\x00\x04MQTT\x04\x02"...)
	b = append(b, byte(keepAlive>>8), byte(keepAlive), byte(n>>8), byte(n))
	b = append(b, name...)
	return AppendText(b, r, n-len(name))
}

// AppendMQTTConnack appends the server's consent to a CONNECT.
func AppendMQTTConnack(b []byte) []byte { return append(b, 0x20, 2, 0, 0) }

// AppendMQTTSubscribe appends a SUBSCRIBE to a topic, at QoS 1. id is any number but 0.
func AppendMQTTSubscribe(b []byte, id uint16, topic []byte) []byte {
	b = appendFixed(b, mqttSubscribe, 2+2+len(topic)+1)
	b = append(b, byte(id>>8), byte(id))
	b = appendTopic(b, topic)
	return append(b, 1)
}

// AppendMQTTSuback appends the server's consent to a SUBSCRIBE at QoS 1.
func AppendMQTTSuback(b []byte, id uint16) []byte {
	return append(b, 0x90, 3, byte(id>>8), byte(id), 1)
}

// AppendMQTTPublish appends a PUBLISH of size bytes in all, or as few more as it needs, at most MQTTMaximum, with a random
// payload: at QoS 1 under an id, at QoS 0 where the id is 0.
func AppendMQTTPublish(b []byte, r Rand, id uint16, topic []byte, size int) []byte {
	b, payload := appendPublishHead(b, id, topic, size)
	return AppendRandom(b, r, payload)
}

// appendPublishHead appends a PUBLISH up to its payload, and returns the payload's size.
func appendPublishHead(b []byte, id uint16, topic []byte, size int) (head []byte, payload int) {
	n, kind := 2+len(topic), byte(mqttPublish)
	if id != 0 {
		n, kind = n+2, mqttPublish|1<<1
	}
	rest := fit(size, n)
	b = appendFixed(b, kind, rest)
	b = appendTopic(b, topic)
	if id != 0 {
		b = append(b, byte(id>>8), byte(id))
	}
	return b, rest - n
}

// AppendMQTTPuback appends the answer to a PUBLISH at QoS 1.
func AppendMQTTPuback(b []byte, id uint16) []byte { return append(b, 0x40, 2, byte(id>>8), byte(id)) }

// AppendMQTTPingreq appends a client's sign of life.
func AppendMQTTPingreq(b []byte) []byte { return append(b, 0xc0, 0) }

// AppendMQTTPingresp appends the answer to it.
func AppendMQTTPingresp(b []byte) []byte { return append(b, 0xd0, 0) }

// AppendMQTTDisconnect appends a client's leave.
func AppendMQTTDisconnect(b []byte) []byte { return append(b, 0xe0, 0) }

func appendTopic(b, topic []byte) []byte {
	b = append(b, byte(len(topic)>>8), byte(len(topic)))
	return append(b, topic...)
}

// fit is the remaining length of a packet of size bytes in all, least at the least. No packet has 130 bytes: its length
// would take a byte more, and it then has 131; so it is where further bytes begin.
func fit(size, least int) int {
	rest := max(size-2, least)
	for rest > least && 1+lengthSize(rest-1)+rest-1 >= size {
		rest--
	}
	return rest
}

// lengthSize is how many bytes a remaining length takes.
func lengthSize(rest int) int {
	n := 1
	for rest >>= 7; rest > 0; rest >>= 7 {
		n++
	}
	return n
}

// appendFixed appends a packet's type and remaining length (section 2.2.3).
func appendFixed(b []byte, kind byte, rest int) []byte {
	b = append(b, kind)
	for rest >= 1<<7 {
		b = append(b, byte(rest)|1<<7)
		rest >>= 7
	}
	return append(b, byte(rest))
}
