//! Named network profiles, and the toxics that imitate them. Each number has its published source beside it.

use crate::toxic::{Bandwidth, Effect, Latency, PacketLoss, Sharing, Toxic};
use crate::value::{Probability, Selector, Stream, Timeout, ToxicName, words};

words! {
    /// A kind of network.
    pub enum Profile("is not a profile", "use the name of a network, such as 3g") {
        /// A mobile network of the second generation.
        Gprs = "gprs",
        /// A faster mobile network of the second generation.
        Edge = "edge",
        /// A mobile network of the third generation.
        ThreeG = "3g",
        /// A mobile network of the fourth generation.
        FourG = "4g",
        /// A telephone line.
        Dsl = "dsl",
        /// A television cable.
        Cable = "cable",
        /// A wireless LAN.
        Wifi = "wifi",
        /// Satellites in a low orbit.
        Starlink = "starlink",
        /// A satellite in the geostationary orbit.
        GeoSatellite = "geo-satellite",
        /// A wireless LAN at the edge of its range.
        LossyWifi = "lossy-wifi",
    }
}

impl Profile {
    /// The toxics of this network, in order. The rate comes first: after the latency it would accept as many bytes at
    /// once as a delay line holds. A network without loss has no toxic for it.
    #[must_use]
    pub fn toxics(self) -> Vec<Toxic> {
        let link = self.link();
        let loss = Some(link.packet_loss).filter(|loss| loss.loss_rate > Probability::NEVER);
        let toxics = [
            Some(("bandwidth_upstream", Stream::Upstream, Effect::Bandwidth(link.up))),
            Some(("bandwidth_downstream", Stream::Downstream, Effect::Bandwidth(link.down))),
            Some(("latency", Stream::Both, Effect::Latency(link.latency))),
            loss.map(|loss| ("packet_loss", Stream::Both, Effect::PacketLoss(loss))),
        ];
        toxics.into_iter().flatten().map(|(part, stream, effect)| self.toxic(part, stream, effect)).collect()
    }

    fn toxic(self, part: &str, stream: Stream, effect: Effect) -> Toxic {
        let name = ToxicName::of_profile(self.as_str(), part);
        Toxic { name, stream, toxicity: Probability::ALWAYS, selector: Selector::default(), when: None, effect }
    }

    /// The numbers: KB/s to the client and from it, the round trip in ms, its share of jitter in each direction in ms,
    /// and the share of segments that are lost.
    ///
    /// - Firefox: the throttling profiles of its developer tools, `devtools/client/shared/components/throttling/
    ///   profiles.js` in mozilla/gecko-dev, with rates in units of 1,024 bits.
    /// - `WebPageTest`: `www/settings/connectivity.ini.sample` in catchpoint/WebPageTest.
    /// - Loadero: the network conditions of its browser tests,
    ///   wiki.loadero.com/test-creation/participant-configuration/network-conditions. The other sources document no
    ///   jitter, and no loss except for the 0 of `WebPageTest`.
    /// - Ookla: medians of the USA in the third quarter of 2021, from freestatefoundation.blogspot.com/2022/01/
    ///   starlinks-performance-shows-prudence-of.html. The geostationary one is `HughesNet`.
    /// - APNIC: blog.apnic.net/2022/11/28/fact-checking-starlinks-performance-figures (half of the round trips are
    ///   between 40 and 60 ms, so 10 ms around the median and 5 ms in each direction), and
    ///   blog.apnic.net/2022/05/02/testing-leo-and-geo-satellite-services-in-australia (about 600 ms).
    fn link(self) -> Link {
        match self {
            // Firefox GPRS: 50 and 20 Kbit/s, 500 ms. Loadero GPRS: 100 ms, 1 %.
            Self::Gprs => const { Link::new(6, 3, 500, 100, 0.01) },
            // WebPageTest Edge: 240 and 200 kbit/s, 840 ms. Loadero Edge: 100 ms, 1 %.
            Self::Edge => const { Link::new(30, 25, 840, 100, 0.01) },
            // WebPageTest 3G: 1.6 Mbit/s and 768 kbit/s, 300 ms. Loadero 3G: 50 ms, 0.5 %.
            Self::ThreeG => const { Link::new(200, 96, 300, 50, 0.005) },
            // Firefox 4G / LTE: 4 and 3 Mbit/s, 20 ms. Loadero 4G: 5 ms incoming, 0.2 %.
            Self::FourG => const { Link::new(524, 393, 20, 5, 0.002) },
            // WebPageTest DSL: 1.5 Mbit/s and 384 kbit/s, 50 ms.
            Self::Dsl => const { Link::new(188, 48, 50, 0, 0.0) },
            // WebPageTest Cable: 5 and 1 Mbit/s, 28 ms.
            Self::Cable => const { Link::new(625, 125, 28, 0, 0.0) },
            // Firefox Wi-Fi: 30 and 15 Mbit/s, 2 ms.
            Self::Wifi => const { Link::new(3932, 1966, 2, 0, 0.0) },
            // Ookla: 87.25 and 13.54 Mbit/s, 44 ms. APNIC: 5 ms of jitter. Neither documents the loss at handovers.
            Self::Starlink => const { Link::new(10_906, 1693, 44, 5, 0.0) },
            // Ookla: 19.30 and 2.54 Mbit/s. APNIC: 600 ms.
            Self::GeoSatellite => const { Link::new(2413, 318, 600, 0, 0.0) },
            // Firefox Wi-Fi, with Loadero's condition of 5 % packet loss.
            Self::LossyWifi => const { Link::new(3932, 1966, 2, 0, 0.05) },
        }
    }
}

/// The attributes of the toxics of a network.
struct Link {
    down: Bandwidth,
    up: Bandwidth,
    latency: Latency,
    packet_loss: PacketLoss,
}

impl Link {
    const fn new(down: u32, up: u32, round_trip: u32, jitter: u32, lost: f64) -> Self {
        let packet_loss = PacketLoss {
            loss_rate: Probability::literal(lost),
            correlation: Probability::NEVER,
            retransmit: Self::retransmit(round_trip),
        };
        let latency = Latency::literal(round_trip / 2, jitter);
        Self { down: Self::bandwidth(down), up: Self::bandwidth(up), latency, packet_loss }
    }

    /// All connections of a route share the bandwidth.
    const fn bandwidth(rate: u32) -> Bandwidth {
        Bandwidth::literal(rate, Sharing::Shared)
    }

    /// Linux retransmits after the round trip plus four times its mean deviation, which it takes to be at least 200 ms
    /// (`tcp_rtt_estimator` in `net/ipv4/tcp_input.c`).
    const fn retransmit(round_trip: u32) -> Timeout {
        Timeout::literal(round_trip + 200)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Bits per second from the sources, rounded to whole KB/s here.
    #[test]
    fn rates_are_those_of_the_sources() {
        const K: u64 = 1024;
        const M: u64 = 1024 * 1024;
        for (profile, down, up) in [
            (Profile::Gprs, 50 * K, 20 * K),
            (Profile::Edge, 240_000, 200_000),
            (Profile::ThreeG, 1_600_000, 768_000),
            (Profile::FourG, 4 * M, 3 * M),
            (Profile::Dsl, 1_500_000, 384_000),
            (Profile::Cable, 5_000_000, 1_000_000),
            (Profile::Wifi, 30 * M, 15 * M),
            (Profile::Starlink, 87_250_000, 13_540_000),
            (Profile::GeoSatellite, 19_300_000, 2_540_000),
            (Profile::LossyWifi, 30 * M, 15 * M),
        ] {
            let link = profile.link();
            let bandwidth = |bits: u64| Link::bandwidth(u32::try_from((bits + 4000) / 8000).expect("some KB/s"));
            assert_eq!([link.down, link.up], [down, up].map(bandwidth), "{profile:?}");
        }
    }

    #[test]
    fn each_direction_takes_half_of_the_round_trip() {
        let link = Profile::ThreeG.link();
        assert_eq!(link.latency, Latency::literal(150, 50));
        assert_eq!(link.packet_loss.retransmit.duration(), Duration::from_millis(300 + 200));
    }

    #[test]
    fn toxics_are_named_after_their_profile() {
        let names =
            |profile: Profile| -> Vec<String> { profile.toxics().iter().map(|toxic| toxic.name.to_string()).collect() };
        let of_3g = ["3g_bandwidth_upstream", "3g_bandwidth_downstream", "3g_latency", "3g_packet_loss"];
        assert_eq!(names(Profile::ThreeG), of_3g);
        assert_eq!(names(Profile::Dsl).len(), 3, "a line without loss needs no toxic for it");
    }
}
