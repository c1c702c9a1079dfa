//! A switch in memory, the website on it, and the cards that the vectors name.

use std::future::Future;

use cekr_iso8583::{Expiry, Pan};
use cekr_issuer::entry::Name;
use cekr_issuer::{Amount, CardId, CardStatus, Channels, Controls, Seq};
use cekr_switch::clock::Clock;
use cekr_switch::config::{Address, Config, Durability};
use cekr_switch::keyring::StartKey;
use cekr_switch::server::{ClockBehind, Options, Server, Signals};
use cekr_switch::shard::NewCard;

use crate::Portal;
use crate::db::test_place;
use crate::settings::Settings;
use crate::statements::suspense::{self, Waiting};

/// The switch, and the website on it.
pub(in crate::statements) struct Bank {
    pub(in crate::statements) portal: Portal,
    server: Server,
}

const CARDS: [(&str, u32, &str); 2] =
    [("4761730000000011", 123_456_789, "ana"), ("4761730000000029", 234_567_891, "bor")];
/// The morning after the day of the vectors.
const MORNING_MS: u64 = 1_795_251_600_000;

impl Bank {
    pub(in crate::statements) fn new() -> Self {
        let mut config = Config::parse("", "test").unwrap();
        let free = Address::parse("127.0.0.1:0").unwrap();
        config.listener.first_mut().addr = free.clone();
        config.http.addr = free;
        config.data.durability = Durability::None;
        config.switch.threads = 1;
        config.http.operator_token = "a-token-for-tests".to_owned();
        let options = Options {
            start_key: StartKey::development(),
            clock: Clock::manual(MORNING_MS).0,
            signals: Signals::Leave,
            clock_behind: ClockBehind::Refuse,
        };
        let server = Server::bind(config, options).unwrap();
        for (pan, mok_id, name) in CARDS {
            let card = NewCard {
                pan: Pan::parse(pan.as_bytes()).unwrap(),
                name: Name::new(name).unwrap(),
                mok_id,
                controls: Controls {
                    status: CardStatus::Active,
                    ticks: Channels::ALL,
                    expiry: Expiry::new(3012).unwrap(),
                    version: 1,
                },
                pin: None,
                limited: true,
                balance: Amount::default(),
            };
            server.control().shard().issue(card, server.clock().now()).unwrap();
        }
        server.settle().unwrap();
        let place = server.block_on(test_place());
        let public_url = "http://localhost:8080".to_owned();
        let payee = cekr_bank::upn::Payee::default();
        let (sandbox, rekono) = (false, None);
        let outbound = crate::outbound::OutboundSettings::default();
        let settings = Settings {
            audit_head: None,
            database: place,
            public_url,
            sandbox,
            rekono,
            payee,
            outbound,
            results_url: String::new(),
        };
        let portal = server.block_on(Portal::open(server.durable().clone(), settings)).unwrap();
        Self { portal, server }
    }

    pub(in crate::statements) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.server.block_on(work)
    }

    pub(in crate::statements) fn card(&self, mok_id: &str) -> CardId {
        self.portal.durable().control().card_by_mok_id(mok_id.parse().unwrap()).unwrap()
    }

    pub(in crate::statements) fn balance(&self, mok_id: &str) -> i64 {
        self.portal.durable().control().card(self.card(mok_id)).unwrap().0.balance
    }

    pub(in crate::statements) fn waiting(&self) -> Vec<Waiting> {
        self.wait(suspense::list(&self.portal, Seq::NONE, 100)).unwrap().0
    }
}
