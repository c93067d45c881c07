// A small home in ns-3, to stand beside the virtual world of glasshouse: six devices on an Ethernet, a router, a WAN link, and
// one node for all clouds. What the devices do follows the profiles of devices/catalogue: the same periods and sizes of
// beats, the same shapes of pages, videos, music, camera views and calls, as TCP and UDP without content.
//
// What ns-3 is spared here, in favour of its figures: address translation (it has none), Wi-Fi, TLS, DNS and HTTP as bytes,
// checksums (off by default), loss, labels, and any output to disk.
//
// It prints one line of JSON. --scale makes people more or less busy; the caller sets it so that the WAN carries as many
// packets an hour as the home that it is compared with.
#include <cstring>
#include <iostream>
#include <map>
#include <vector>

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/csma-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"

using namespace ns3;

namespace {

constexpr uint16_t kPort = 443;
constexpr uint16_t kEchoPort = 8053;
constexpr uint16_t kVoicePort = 16285;
constexpr uint32_t kHeader = 8; // of a message: its length, and the length of the wanted answer

// Range is drawn from evenly.
struct Range {
  double low, high;
};

// Act is what somebody or something does now and then: connections that ask a number of times each, and wait in between.
struct Act {
  uint32_t device;
  double perDay;
  uint32_t connections, requests;
  Range wait;     // s
  Range up, down; // bytes of a request and of its answer
};

// Beat is a message on a connection for life.
struct Beat {
  uint32_t device;
  double every; // s
  uint32_t up, down;
};

enum : uint32_t { kEcho, kCamera, kPlug, kHub, kPhone, kPhone2, kDevices };

const std::vector<Beat> kTcpBeats = {
    {kEcho, 30, 12, 0}, {kEcho, 91, 40, 60}, {kEcho, 2460, 2500, 120}, {kCamera, 1800, 52, 36},
    {kPlug, 236, 45, 39}, {kPhone, 254, 31, 24}, {kPhone2, 277, 31, 24}};

// UDP beats are answered in kind.
const std::vector<Beat> kUdpBeats = {
    {kHub, 15, 37, 37}, {kCamera, 28, 48, 48}, {kPhone, 72, 40, 40}, {kPhone2, 72, 40, 40}, {kPlug, 3602, 48, 48}};

const std::vector<Act> kActs = {
    {kPhone, 240, 5, 3, {0, 0.15}, {320, 980}, {4000, 80000}},        // page
    {kPhone, 72, 2, 30, {0.6, 9}, {320, 1200}, {1200, 40000}},        // scroll
    {kPhone, 9, 1, 33, {3, 4}, {480, 720}, {400000, 1000000}},        // video
    {kPhone, 36, 1, 20, {1, 8}, {380, 620}, {200000, 500000}},        // clips
    {kPhone, 90, 1, 1, {0, 0}, {700, 3800}, {600, 22000}},            // sync
    {kPhone2, 240, 5, 3, {0, 0.15}, {320, 980}, {4000, 80000}},       //
    {kPhone2, 72, 2, 30, {0.6, 9}, {320, 1200}, {1200, 40000}},       //
    {kPhone2, 9, 1, 33, {3, 4}, {480, 720}, {400000, 1000000}},       //
    {kPhone2, 36, 1, 20, {1, 8}, {380, 620}, {200000, 500000}},       //
    {kPhone2, 90, 1, 1, {0, 0}, {700, 3800}, {600, 22000}},           //
    {kEcho, 30, 1, 15, {9, 11}, {380, 520}, {400000, 700000}},        // music
    {kEcho, 120, 1, 12, {0.3, 0.9}, {300, 9000}, {60, 9000}},         // voice command
    {kCamera, 26, 1, 40, {1.6, 1.9}, {26000, 31000}, {44, 60}},       // watched
};

// Calls: voice each way, a frame each 20 ms.
constexpr double kCallsPerDay = 5.4;
constexpr double kCallSeconds = 75;
constexpr uint32_t kVoiceBytes = 80;

uint64_t g_wan = 0; // packets on the WAN link, both ways

void CountPacket(Ptr<const Packet>) { g_wan++; }

Ptr<UniformRandomVariable> g_even;
Ptr<ExponentialRandomVariable> g_exponential;

double Even(Range r) { return g_even->GetValue(r.low, r.high); }

// Writer sends bytes as the socket takes them.
struct Writer {
  Ptr<Socket> socket;
  uint64_t left = 0;

  void Pump() {
    while (left > 0) {
      uint32_t n = static_cast<uint32_t>(std::min<uint64_t>({left, socket->GetTxAvailable(), 65536}));
      if (n == 0) return;
      int sent = socket->Send(Create<Packet>(n));
      if (sent <= 0) return;
      left -= static_cast<uint64_t>(sent);
    }
  }
};

// Server answers what messages ask for, on any number of connections.
class Server : public Application {
  struct Line {
    Writer writer;
    uint32_t missing = 0; // of the message that is coming in
    uint32_t answer = 0;
    std::vector<uint8_t> header;
  };
  Ptr<Socket> m_listener;
  std::map<Ptr<Socket>, Line> m_lines;

  void StartApplication() override {
    m_listener = Socket::CreateSocket(GetNode(), TcpSocketFactory::GetTypeId());
    m_listener->Bind(InetSocketAddress(Ipv4Address::GetAny(), kPort));
    m_listener->Listen();
    m_listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(), MakeCallback(&Server::Accept, this));
  }
  void StopApplication() override {}
  void Accept(Ptr<Socket> s, const Address&) {
    m_lines[s].writer.socket = s;
    s->SetRecvCallback(MakeCallback(&Server::Receive, this));
    s->SetSendCallback(MakeCallback(&Server::Room, this));
    s->SetCloseCallbacks(MakeCallback(&Server::Closed, this), MakeCallback(&Server::Closed, this));
  }
  void Room(Ptr<Socket> s, uint32_t) {
    auto line = m_lines.find(s);
    if (line != m_lines.end()) line->second.writer.Pump();
  }
  void Closed(Ptr<Socket> s) {
    s->SetCloseCallbacks(MakeNullCallback<void, Ptr<Socket>>(), MakeNullCallback<void, Ptr<Socket>>());
    s->Close();
    Simulator::ScheduleNow(&Server::Forget, this, s); // not now: a line may be in use
  }
  void Forget(Ptr<Socket> s) { m_lines.erase(s); }
  void Receive(Ptr<Socket> s) {
    auto found = m_lines.find(s);
    if (found == m_lines.end()) return;
    Line& line = found->second;
    while (Ptr<Packet> p = s->Recv()) {
      while (p->GetSize() > 0) {
        if (line.missing == 0) {
          uint8_t byte;
          p->CopyData(&byte, 1);
          p->RemoveAtStart(1);
          line.header.push_back(byte);
          if (line.header.size() < kHeader) continue;
          std::memcpy(&line.missing, line.header.data(), 4);
          std::memcpy(&line.answer, line.header.data() + 4, 4);
          line.header.clear();
          line.missing -= kHeader;
        } else {
          uint32_t n = std::min(line.missing, p->GetSize());
          p->RemoveAtStart(n);
          line.missing -= n;
        }
        if (line.missing == 0) {
          line.writer.left += line.answer;
          line.answer = 0;
        }
      }
    }
    line.writer.Pump();
  }
};

// Connection asks a number of times and closes; a beat's asks for ever, at its period.
class Connection : public Object {
  Writer m_writer;
  Act m_act{};
  double m_every = 0; // s; 0 = as the act says
  uint32_t m_asked = 0;
  uint64_t m_due = 0; // of the answer
  bool m_over = false;

 public:
  void Open(Ptr<Node> node, Ipv4Address cloud, const Act& act, double every) {
    m_act = act;
    m_every = every;
    Ptr<Connection> self = this; // the socket keeps it, until it is over
    Ptr<Socket> s = Socket::CreateSocket(node, TcpSocketFactory::GetTypeId());
    m_writer.socket = s;
    s->SetConnectCallback(MakeCallback(&Connection::Connected, self), MakeCallback(&Connection::Over, self));
    s->SetCloseCallbacks(MakeCallback(&Connection::Over, self), MakeCallback(&Connection::Over, self));
    s->SetRecvCallback(MakeCallback(&Connection::Receive, self));
    s->SetSendCallback(MakeCallback(&Connection::Room, self));
    s->Connect(InetSocketAddress(cloud, kPort));
  }

 private:
  void Connected(Ptr<Socket>) { Ask(); }
  void Room(Ptr<Socket>, uint32_t) { m_writer.Pump(); }
  void Over(Ptr<Socket>) {
    if (!m_over) Simulator::ScheduleNow(&Connection::Forget, Ptr<Connection>(this));
    m_over = true;
  }
  void Forget() {
    Ptr<Socket> s = m_writer.socket;
    s->SetConnectCallback(MakeNullCallback<void, Ptr<Socket>>(), MakeNullCallback<void, Ptr<Socket>>());
    s->SetCloseCallbacks(MakeNullCallback<void, Ptr<Socket>>(), MakeNullCallback<void, Ptr<Socket>>());
    s->SetRecvCallback(MakeNullCallback<void, Ptr<Socket>>());
    s->SetSendCallback(MakeNullCallback<void, Ptr<Socket>, uint32_t>());
    s->Close();
  }
  void Ask() {
    if (m_over) return;
    uint32_t head[2] = {std::max<uint32_t>(kHeader, static_cast<uint32_t>(Even(m_act.up))), static_cast<uint32_t>(Even(m_act.down))};
    uint8_t bytes[kHeader];
    std::memcpy(bytes, head, kHeader);
    Ptr<Packet> p = Create<Packet>(bytes, kHeader);
    m_due = head[1];
    m_asked++;
    uint32_t room = m_writer.socket->GetTxAvailable();
    uint32_t body = std::min(head[0], room) - kHeader;
    p->AddPaddingAtEnd(body);
    m_writer.socket->Send(p);
    m_writer.left += head[0] - kHeader - body;
    if (m_every > 0) {
      Simulator::Schedule(Seconds(m_every), &Connection::Ask, Ptr<Connection>(this));
    } else if (m_due == 0) {
      Answered();
    }
  }
  void Receive(Ptr<Socket> s) {
    while (Ptr<Packet> p = s->Recv()) {
      m_due -= std::min<uint64_t>(m_due, p->GetSize());
      if (m_due == 0 && m_every == 0 && p->GetSize() > 0) Answered();
    }
  }
  void Answered() {
    if (m_asked >= m_act.requests) {
      m_writer.socket->Close();
      return;
    }
    Simulator::Schedule(Seconds(Even(m_act.wait)), &Connection::Ask, Ptr<Connection>(this));
  }
};

// Home starts what the devices do.
struct Home {
  NodeContainer devices;
  Ptr<Node> cloud;
  Ipv4Address cloudAddress;
  std::vector<Ipv4Address> addresses;
  double scale = 1;

  void Open(const Act& act, double every) { CreateObject<Connection>()->Open(devices.Get(act.device), cloudAddress, act, every); }

  void Next(const Act* act) {
    Simulator::Schedule(Seconds(g_exponential->GetValue(86400 / (act->perDay * scale), 0)), &Home::Do, this, act);
  }
  void Do(const Act* act) {
    for (uint32_t i = 0; i < act->connections; i++) Open(*act, 0);
    Next(act);
  }

  void NextCall(uint32_t phone) {
    Simulator::Schedule(Seconds(g_exponential->GetValue(86400 / (kCallsPerDay * scale), 0)), &Home::Call, this, phone);
  }
  void Call(uint32_t phone) {
    uint32_t frames = static_cast<uint32_t>(kCallSeconds / 0.02);
    Voice(devices.Get(phone), cloudAddress, frames);
    Voice(cloud, addresses[phone], frames);
    NextCall(phone);
  }
  void Voice(Ptr<Node> from, Ipv4Address to, uint32_t frames) {
    Ptr<Socket> s = Socket::CreateSocket(from, UdpSocketFactory::GetTypeId());
    s->Connect(InetSocketAddress(to, kVoicePort));
    Speak(s, frames);
  }
  void Speak(Ptr<Socket> s, uint32_t frames) {
    if (frames == 0) {
      s->Close();
      return;
    }
    s->Send(Create<Packet>(kVoiceBytes));
    Simulator::Schedule(MilliSeconds(20), &Home::Speak, this, s, frames - 1);
  }
};

} // namespace

int main(int argc, char* argv[]) {
  double hours = 1, scale = 1;
  uint64_t up = 25000000, down = 150000000, delay = 50000000;
  uint32_t seed = 1;
  CommandLine cmd(__FILE__);
  cmd.AddValue("hours", "simulated hours", hours);
  cmd.AddValue("scale", "factor on how often people act", scale);
  cmd.AddValue("up", "WAN rate up, bit/s", up);
  cmd.AddValue("down", "WAN rate down, bit/s", down);
  cmd.AddValue("delay", "one way to the cloud, ns", delay);
  cmd.AddValue("seed", "of all that is drawn", seed);
  cmd.Parse(argc, argv);
  RngSeedManager::SetSeed(seed);
  g_even = CreateObject<UniformRandomVariable>();
  g_exponential = CreateObject<ExponentialRandomVariable>();
  Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
  Config::SetDefault("ns3::TcpSocket::InitialCwnd", UintegerValue(10));
  Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(4 << 20));
  Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(4 << 20));

  Home home;
  home.scale = scale;
  home.devices.Create(kDevices);
  Ptr<Node> router = CreateObject<Node>();
  home.cloud = CreateObject<Node>();
  NodeContainer lanNodes(router, home.devices);
  NodeContainer wanNodes(router, home.cloud);

  CsmaHelper csma;
  csma.SetChannelAttribute("DataRate", StringValue("1Gbps"));
  csma.SetChannelAttribute("Delay", TimeValue(NanoSeconds(500)));
  NetDeviceContainer lan = csma.Install(lanNodes);
  PointToPointHelper link;
  link.SetChannelAttribute("Delay", TimeValue(NanoSeconds(delay)));
  NetDeviceContainer wan = link.Install(wanNodes);
  wan.Get(0)->SetAttribute("DataRate", DataRateValue(DataRate(up)));
  wan.Get(1)->SetAttribute("DataRate", DataRateValue(DataRate(down)));
  for (const char* trace : {"PhyTxEnd", "PhyRxEnd"}) wan.Get(0)->TraceConnectWithoutContext(trace, MakeCallback(&CountPacket));

  InternetStackHelper().Install(NodeContainer(lanNodes, home.cloud));
  Ipv4AddressHelper addresses;
  addresses.SetBase("192.168.1.0", "255.255.255.0");
  Ipv4InterfaceContainer inside = addresses.Assign(lan);
  addresses.SetBase("198.18.0.0", "255.255.255.0");
  Ipv4InterfaceContainer outside = addresses.Assign(wan);
  home.cloudAddress = outside.GetAddress(1);
  for (uint32_t i = 0; i < kDevices; i++) home.addresses.push_back(inside.GetAddress(i + 1));
  Ipv4GlobalRoutingHelper::PopulateRoutingTables();

  Ptr<Server> server = CreateObject<Server>();
  home.cloud->AddApplication(server);
  UdpEchoServerHelper(kEchoPort).Install(home.cloud);
  PacketSinkHelper voice("ns3::UdpSocketFactory", InetSocketAddress(Ipv4Address::GetAny(), kVoicePort));
  voice.Install(NodeContainer(home.devices, home.cloud));

  for (const Beat& b : kUdpBeats) {
    UdpEchoClientHelper client(home.cloudAddress, kEchoPort);
    client.SetAttribute("MaxPackets", UintegerValue(UINT32_MAX));
    client.SetAttribute("Interval", TimeValue(Seconds(b.every)));
    client.SetAttribute("PacketSize", UintegerValue(b.up));
    client.Install(home.devices.Get(b.device)).Start(Seconds(Even({1, 1 + b.every})));
  }
  for (const Beat& b : kTcpBeats) {
    Act act{b.device, 0, 1, UINT32_MAX, {0, 0}, {double(b.up), double(b.up)}, {double(b.down), double(b.down)}};
    Simulator::Schedule(Seconds(Even({1, 1 + b.every})), &Home::Open, &home, act, b.every);
  }
  for (const Act& act : kActs) home.Next(&act);
  home.NextCall(kPhone);
  home.NextCall(kPhone2);

  Simulator::Stop(Seconds(hours * 3600));
  Simulator::Run();
  std::cout << "{\"simulated_s\": " << hours * 3600 << ", \"packets\": " << g_wan
            << ", \"events\": " << Simulator::GetEventCount() << "}\n";
  Simulator::Destroy();
  return 0;
}
