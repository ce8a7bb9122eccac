// The part of a constellation that one pair of ground stations uses, as an ns-3 simulation.
//
// run_ns3.py gives this text to cppyy after `from ns import ns`, which has brought in the headers of
// every ns-3 module.  All events are C++: nothing calls back into Python while the clock runs.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace packets
{
using namespace ns3;

constexpr uint32_t PING_DATA_BYTES = 56; // what `ping` sends: 64 bytes of ICMP
constexpr uint32_t PING_FRAME_BYTES = 86; // that with its headers: ICMP 8, IPv4 20, PPP 2
constexpr uint16_t PPP_IPV4 = 0x0021;    // RFC 1332
constexpr uint8_t IP_ICMP = 1;
constexpr uint16_t TCP_PORT = 5001;
constexpr uint32_t TCP_SEGMENT_BYTES = 1448; // 1,500 bytes of IP with headers and time stamps
constexpr uint32_t TCP_BUFFER_BYTES = 1 << 23;
constexpr uint32_t HOST_QUEUE_PACKETS = 100000; // the host itself drops nothing
constexpr uint64_t HOST_RATE_BPS = 10'000'000'000;
constexpr int64_t UNANSWERED = -1;

// One echo request and its reply; times in ns.
struct Echo
{
    int64_t sent_ns;
    int64_t rtt_ns = UNANSWERED;
    int64_t serialisation_ns = 0; // at all interfaces of both ways
    int64_t queueing_ns = 0;
    int64_t waits_since_ns = 0;
    bool dropped = false; // by a full queue
};

class PairNetwork
{
  public:
    // Nodes 0 to `nodes` - 1 are satellites and ground stations; behind each of the two `ends` stands a
    // host, so that TCP and ICMP answer from one address whatever link the ground station uses.
    PairNetwork(uint32_t nodes, uint32_t from, uint32_t to, uint32_t queuePackets)
        : m_queuePackets(queuePackets)
    {
        m_nodes.Create(nodes);
        m_hosts.Create(2);
        InternetStackHelper stack;
        stack.SetIpv6StackInstall(false);
        stack.SetRoutingHelper(Ipv4StaticRoutingHelper());
        stack.Install(m_nodes);
        stack.Install(m_hosts);
        m_addresses.SetBase("10.0.0.0", "255.255.255.252");
        Attach(0, from);
        Attach(1, to);
    }

    // Add a point-to-point link; each side sends at its own rate from a drop-tail queue of its own.
    void AddLink(uint32_t a, uint32_t b, uint64_t rateFromA_bps, uint64_t rateFromB_bps)
    {
        auto devices =
            Join(m_nodes.Get(a), m_nodes.Get(b), rateFromA_bps, rateFromB_bps, m_queuePackets);
        m_links.push_back(devices);
        m_channels.push_back(devices.Get(0)->GetChannel());
    }

    // Set the delays of all links from `at_ns` on.
    void DelaysFrom(int64_t at_ns, const std::vector<int64_t>& delay_ns)
    {
        Simulator::Schedule(NanoSeconds(at_ns), [this, delay_ns] {
            for (std::size_t link = 0; link < delay_ns.size(); ++link)
            {
                m_channels[link]->SetAttribute("Delay", TimeValue(NanoSeconds(delay_ns[link])));
            }
        });
    }

    // From `at_ns` on, packets at `node` for host `towards` leave by `link`, or are lost if it is -1.
    void RouteFrom(int64_t at_ns, uint32_t node, uint32_t towards, int32_t link)
    {
        Simulator::Schedule(NanoSeconds(at_ns), [this, node, towards, link] {
            auto ipv4 = m_nodes.Get(node)->GetObject<Ipv4>();
            auto routes = DynamicCast<Ipv4StaticRouting>(ipv4->GetRoutingProtocol());
            for (uint32_t row = routes->GetNRoutes(); row-- > 0;)
            {
                auto route = routes->GetRoute(row);
                if (route.IsHost() && route.GetDest() == m_address[towards])
                {
                    routes->RemoveRoute(row);
                }
            }
            if (link >= 0)
            {
                auto device = m_links[link].Get(0);
                if (device->GetNode() != m_nodes.Get(node))
                {
                    device = m_links[link].Get(1);
                }
                routes->AddHostRouteTo(m_address[towards], ipv4->GetInterfaceForDevice(device));
            }
        });
    }

    // Send `count` echo requests from host 0 to host 1.
    void AddPing(int64_t every_ns, uint32_t count)
    {
        auto ping = CreateObject<Ping>();
        ping->SetAttribute("Destination", AddressValue(Address(m_address[1])));
        ping->SetAttribute("InterfaceAddress", AddressValue(Address(m_address[0])));
        ping->SetAttribute("Interval", TimeValue(NanoSeconds(every_ns)));
        ping->SetAttribute("Size", UintegerValue(PING_DATA_BYTES));
        ping->SetAttribute("Count", UintegerValue(count));
        ping->SetAttribute("VerboseMode", StringValue("Silent"));
        m_hosts.Get(0)->AddApplication(ping);
        ping->TraceConnectWithoutContext("Rtt", MakeCallback(&PairNetwork::EchoAnswered, this));
    }

    // Send as much as one TCP connection of this congestion control takes, host 0 to host 1.
    void AddTcp(const std::string& typeId, int64_t binNs)
    {
        m_bin_ns = binNs;
        Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(TCP_SEGMENT_BYTES));
        Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(TCP_BUFFER_BYTES));
        Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(TCP_BUFFER_BYTES));
        Config::SetDefault("ns3::TcpL4Protocol::SocketType",
                           TypeIdValue(TypeId::LookupByName(typeId)));
        PacketSinkHelper sink("ns3::TcpSocketFactory",
                              InetSocketAddress(Ipv4Address::GetAny(), TCP_PORT));
        auto received = sink.Install(m_hosts.Get(1)).Get(0);
        received->TraceConnectWithoutContext("Rx", MakeCallback(&PairNetwork::Delivered, this));
        BulkSendHelper source("ns3::TcpSocketFactory", InetSocketAddress(m_address[1], TCP_PORT));
        source.SetAttribute("SendSize", UintegerValue(TCP_SEGMENT_BYTES));
        auto sender = DynamicCast<BulkSendApplication>(source.Install(m_hosts.Get(0)).Get(0));
        // The socket is made when the application starts, at 0.
        Simulator::Schedule(NanoSeconds(1), [this, sender] {
            auto window = MakeCallback(&PairNetwork::WindowChanged, this);
            sender->GetSocket()->TraceConnectWithoutContext("CongestionWindow", window);
        });
    }

    void Run(int64_t until_ns)
    {
        Simulator::Stop(NanoSeconds(until_ns));
        Simulator::Run();
        events = Simulator::GetEventCount();
        Simulator::Destroy();
    }

    std::vector<Echo> echoes;               // by sequence number
    std::vector<int64_t> delivered_bytes;   // to TCP's receiver, per bin
    std::vector<int64_t> window_ns;         // when the congestion window changed
    std::vector<int64_t> window_bytes;      // to what
    int64_t queue_drops = 0;                // packets that met a full queue
    uint64_t events = 0;

  private:
    void Attach(uint32_t host, uint32_t station)
    {
        Join(m_hosts.Get(host), m_nodes.Get(station), HOST_RATE_BPS, HOST_RATE_BPS, HOST_QUEUE_PACKETS);
        auto ipv4 = m_hosts.Get(host)->GetObject<Ipv4>();
        m_address[host] = ipv4->GetAddress(1, 0).GetLocal();
        auto routes = DynamicCast<Ipv4StaticRouting>(ipv4->GetRoutingProtocol());
        routes->SetDefaultRoute(ipv4->GetAddress(1, 0).GetBroadcast(), 1);
    }

    NetDeviceContainer Join(Ptr<Node> a, Ptr<Node> b, uint64_t rateA, uint64_t rateB, uint32_t queue)
    {
        PointToPointHelper helper;
        helper.DisableFlowControl(); // no queue but the device's own
        helper.SetQueue("ns3::DropTailQueue<Packet>",
                        "MaxSize",
                        QueueSizeValue(QueueSize(QueueSizeUnit::PACKETS, queue)));
        helper.SetChannelAttribute("Delay", TimeValue(NanoSeconds(0)));
        auto devices = helper.Install(a, b);
        m_addresses.Assign(devices);
        m_addresses.NewNetwork();
        Watch(devices.Get(0), rateA);
        Watch(devices.Get(1), rateB);
        return devices;
    }

    void Watch(Ptr<NetDevice> device, uint64_t rate_bps)
    {
        DataRate rate(rate_bps);
        device->SetAttribute("DataRate", DataRateValue(rate));
        using Trace = Callback<void, Ptr<const Packet>>;
        device->TraceConnectWithoutContext("MacTx", Trace([this](Ptr<const Packet> packet) {
            if (auto echo = EchoOf(packet))
            {
                echo->waits_since_ns = Simulator::Now().GetNanoSeconds();
            }
        }));
        device->TraceConnectWithoutContext("PhyTxBegin", Trace([this, rate](Ptr<const Packet> packet) {
            if (auto echo = EchoOf(packet))
            {
                echo->queueing_ns += Simulator::Now().GetNanoSeconds() - echo->waits_since_ns;
                echo->serialisation_ns += rate.CalculateBytesTxTime(packet->GetSize()).GetNanoSeconds();
            }
        }));
        device->TraceConnectWithoutContext("MacTxDrop", Trace([this](Ptr<const Packet> packet) {
            ++queue_drops;
            if (auto echo = EchoOf(packet))
            {
                echo->dropped = true;
            }
        }));
    }

    // The record of the echo that a packet on a link carries, request or reply, or null.
    Echo* EchoOf(Ptr<const Packet> framed)
    {
        if (framed->GetSize() != PING_FRAME_BYTES) // most packets: spare the copy
        {
            return nullptr;
        }
        PppHeader ppp;
        Ipv4Header ip;
        auto packet = framed->Copy();
        packet->RemoveHeader(ppp);
        if (ppp.GetProtocol() != PPP_IPV4)
        {
            return nullptr;
        }
        packet->RemoveHeader(ip);
        if (ip.GetProtocol() != IP_ICMP)
        {
            return nullptr;
        }
        Icmpv4Header icmp;
        packet->RemoveHeader(icmp);
        if (icmp.GetType() != Icmpv4Header::ICMPV4_ECHO &&
            icmp.GetType() != Icmpv4Header::ICMPV4_ECHO_REPLY)
        {
            return nullptr;
        }
        Icmpv4Echo echo;
        packet->RemoveHeader(echo);
        if (echo.GetSequenceNumber() == echoes.size()) // just sent
        {
            echoes.push_back({Simulator::Now().GetNanoSeconds()});
        }
        return &echoes.at(echo.GetSequenceNumber());
    }

    void EchoAnswered(uint16_t sequence, Time rtt)
    {
        echoes[sequence].rtt_ns = rtt.GetNanoSeconds();
    }

    void Delivered(Ptr<const Packet> packet, const Address&)
    {
        std::size_t bin = Simulator::Now().GetNanoSeconds() / m_bin_ns;
        if (delivered_bytes.size() <= bin)
        {
            delivered_bytes.resize(bin + 1, 0);
        }
        delivered_bytes[bin] += packet->GetSize();
    }

    void WindowChanged(uint32_t, uint32_t bytes)
    {
        window_ns.push_back(Simulator::Now().GetNanoSeconds());
        window_bytes.push_back(bytes);
    }

    uint32_t m_queuePackets;
    NodeContainer m_nodes;
    NodeContainer m_hosts;
    Ipv4AddressHelper m_addresses;
    Ipv4Address m_address[2];
    std::vector<NetDeviceContainer> m_links;
    std::vector<Ptr<Channel>> m_channels;
    int64_t m_bin_ns = 1;
};
} // namespace packets
