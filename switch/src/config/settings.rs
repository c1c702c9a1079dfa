//! The settings themselves: one struct a section, its defaults, and what each value may be.
//!
//! A value that cannot be right is refused while the file is read, so that the message carries
//! the file's own line and a caret. Nothing here reads a file or the environment.

use std::fmt;

use cekr_iso8583::{Framing, Spec};
use cekr_issuer::policy;
use serde::{Deserialize, Deserializer, Serialize};

use super::advantage::AdvantageConfig;
use crate::hsm::keys::KeyBlocks;

/// Every setting of the switch.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Directory, journal and start.
    pub data: DataConfig,
    /// Bounds of the hot path.
    pub switch: SwitchConfig,
    /// Where terminals connect; at least one.
    pub listener: Listeners,
    /// Control API.
    pub http: HttpConfig,
    /// Sizes of the journal.
    pub journal: JournalSettings,
    /// The programme's rules.
    pub policy: PolicyConfig,
    /// How long holds live.
    pub holds: HoldsConfig,
    /// Spending and load limits.
    pub limits: LimitsConfig,
    /// Failure counters.
    pub abuse: AbuseConfig,
    /// The advantage programme.
    pub advantage: AdvantageConfig,
    /// The programme's keys.
    pub keys: KeysConfig,
    /// The website.
    pub portal: PortalConfig,
    /// Identities of the website that Rekono vouches for.
    pub rekono: RekonoConfig,
}

/// Where the data lies and how durable an answer is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Directory of journal, checkpoints and the operator's token.
    pub dir: String,
    /// Whether an answer waits for the disk.
    pub durability: Durability,
}

/// Whether an answer waits for the disk.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Everything is kept in memory and lost at the end.
    None,
    /// An answer leaves when what it reveals is on disk.
    Sync,
}

/// Bounds of the hot path.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SwitchConfig {
    /// Threads that serve terminals; 0 takes one fewer than the machine has cores.
    #[serde(deserialize_with = "within::<_, u16, 0, 256>")]
    pub threads: u16,
    /// Spin instead of sleeping: half the round trip for a whole core.
    pub busy_poll: bool,
    /// Connections of terminals at once.
    #[serde(deserialize_with = "within::<_, u32, 1, 1_000_000>")]
    pub connections_max: u32,
    /// Requests of one connection whose answers wait for the journal.
    #[serde(deserialize_with = "within::<_, u32, 1, 65_536>")]
    pub in_flight_max: u32,
    /// Longest message, in octets, without its frame's header.
    #[serde(deserialize_with = "within::<_, u32, 128, 32_768>")]
    pub frame_octets_max: u32,
    /// How long a terminal may leave its answers unread.
    #[serde(deserialize_with = "within::<_, u64, 10, 3_600_000>")]
    pub write_timeout_ms: u64,
    /// How long a clean stop goes on answering terminals that do not pause.
    #[serde(deserialize_with = "within::<_, u64, 0, 60_000>")]
    pub drain_ms: u64,
    /// Answers remembered for repeats.
    #[serde(deserialize_with = "within::<_, usize, 8, 100_000_000>")]
    pub answers_max: usize,
    /// The youngest an answer may be when it is forgotten for want of room.
    #[serde(deserialize_with = "within::<_, u64, 0, 86_400>")]
    pub answers_window_s: u64,
}

/// The sizes of the journal; each can be shrunk for tests.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalSettings {
    /// Octets of one journal file: a power of two.
    #[serde(deserialize_with = "power_of_two::<_, 4_096, 1_073_741_824>")]
    pub segment_octets: u64,
    /// Recent entries kept in memory for repeats, history and events.
    #[serde(deserialize_with = "within::<_, usize, 8, 67_108_864>")]
    pub recent_max: usize,
    /// Entries that wait for the disk; beyond it new work gets 91.
    #[serde(deserialize_with = "within::<_, usize, 1, 16_777_216>")]
    pub queue_max: usize,
    /// Entries in one batch.
    #[serde(deserialize_with = "within::<_, usize, 1, 65_535>")]
    pub batch_max: usize,
    /// Room that is kept for locks, reversals and advices when the disk is full.
    #[serde(deserialize_with = "within::<_, u64, 0, 1_073_741_824>")]
    pub reserve_octets: u64,
    /// Entries between two checkpoints; 0 takes none.
    #[serde(deserialize_with = "within::<_, u64, 0, 1_000_000_000_000>")]
    pub checkpoint_entries: u64,
    /// How long the writer looks for work before it sleeps.
    #[serde(deserialize_with = "within::<_, u32, 0, 1_000_000>")]
    pub spin_us: u32,
}

/// One address where terminals connect.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenerConfig {
    /// Address and port; port 0 takes a free one.
    pub addr: Address,
    /// Dialect of the messages.
    pub spec: SpecName,
    /// How messages are told apart in the stream.
    pub framing: FramingName,
    /// Answers leave in the order of the requests.
    pub ordered: bool,
    /// How long a frame that has begun may take to arrive.
    #[serde(deserialize_with = "within::<_, u64, 1, 3_600_000>")]
    pub frame_timeout_ms: u64,
    /// How long a connection may be silent.
    #[serde(deserialize_with = "within::<_, u64, 1, 2_592_000>")]
    pub idle_timeout_s: u64,
    /// Silence after which the switch sends 0800 with DE 70 = 301; 0 never.
    #[serde(deserialize_with = "within::<_, u64, 0, 2_592_000>")]
    pub echo_idle_s: u64,
    /// Whether messages must have a MAC.
    pub mac: MacWord,
}

/// Whether the messages of a listener must have a MAC (DE 64 or 128).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MacWord {
    /// None is looked at.
    Off,
    /// Requests without the right one are refused, and replies carry one.
    Required,
}

/// The control API.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port; port 0 takes a free one.
    pub addr: Address,
    /// Bearer token of operator calls; empty draws one.
    pub operator_token: String,
    /// Connections at once.
    #[serde(deserialize_with = "within::<_, u32, 1, 65_536>")]
    pub connections_max: u32,
    /// Longest request body.
    #[serde(deserialize_with = "within::<_, u32, 256, 16_777_216>")]
    pub body_octets_max: u32,
    /// How long the head of a request may take, from the accept or its first octet.
    #[serde(deserialize_with = "within::<_, u64, 1, 3_600>")]
    pub header_timeout_s: u64,
    /// How long a connection may neither read nor write.
    #[serde(deserialize_with = "within::<_, u64, 1, 86_400>")]
    pub idle_timeout_s: u64,
    /// Answers remembered by `Idempotency-Key` for 24 hours.
    #[serde(deserialize_with = "within::<_, u32, 1, 10_000_000>")]
    pub idempotency_max: u32,
}

// The token is a secret: a dump of the settings must not carry it.
impl fmt::Debug for HttpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConfig")
            .field("addr", &self.addr)
            .field("operator_token", &if self.operator_token.is_empty() { "" } else { "***" })
            .finish_non_exhaustive()
    }
}

/// The programme's rules, as far as they are a choice.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// The first digits of our cards.
    pub bins: Vec<Bin>,
    /// What a cashpoint must prove.
    pub cashpoint_requires: CashpointRequires,
    /// What a shop's terminal must prove.
    pub pos_requires: PosRequires,
    /// What a web shop must prove.
    pub ecommerce_requires: EcommerceRequires,
    /// Which purchases abroad need the tick.
    pub abroad_scope: AbroadScope,
    /// Whether the cash part of a purchase bears the cashpoint fee.
    pub cashback_fee: bool,
    /// Declines of one card that are entries of their own within an hour.
    #[serde(deserialize_with = "within::<_, u32, 1, 1_000_000_000>")]
    pub declines_per_card_hour: u32,
}

/// The life of a hold in days, by what made it; then it is given back unless it was posted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HoldsConfig {
    /// A purchase in a web shop.
    #[serde(deserialize_with = "within::<_, u32, 1, 255>")]
    pub ecommerce_days: u32,
    /// An estimated amount (DE 25 = 06).
    #[serde(deserialize_with = "within::<_, u32, 1, 255>")]
    pub estimated_days: u32,
    /// A purchase with the card present, or begun by the merchant.
    #[serde(deserialize_with = "within::<_, u32, 1, 255>")]
    pub present_days: u32,
    /// A withdrawal.
    #[serde(deserialize_with = "within::<_, u32, 1, 255>")]
    pub cashpoint_days: u32,
}

/// What a cashpoint must prove.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CashpointRequires {
    /// Any entry mode.
    Any,
    /// A chip's cryptogram and an online PIN.
    ChipAndPin,
}

/// What a shop's terminal must prove.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PosRequires {
    /// Any entry mode; chip data are checked whenever they are there.
    Any,
    /// A chip's cryptogram.
    Chip,
}

/// What a web shop must prove.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EcommerceRequires {
    /// The holder's confirmation or an exemption.
    Confirmation,
    /// The ONLINE tick alone.
    Tick,
}

/// Which purchases abroad need the tick.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AbroadScope {
    /// All, web shops included.
    All,
    /// Only where the card is present.
    CardPresent,
}

/// Spending and load limits: cents without fee, or counts; 0 switches a limit off.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Cash a day.
    #[serde(deserialize_with = "within::<_, u64, 0, MONEY_MAX>")]
    pub cash_day: u64,
    /// Withdrawals a day.
    #[serde(deserialize_with = "within::<_, u32, 0, 1_000_000>")]
    pub cash_count_day: u32,
    /// Purchases in shops a day.
    #[serde(deserialize_with = "within::<_, u64, 0, MONEY_MAX>")]
    pub pos_day: u64,
    /// Purchases in web shops a day.
    #[serde(deserialize_with = "within::<_, u64, 0, MONEY_MAX>")]
    pub online_day: u64,
    /// One purchase over the air without a PIN.
    #[serde(deserialize_with = "within::<_, u64, 0, MONEY_MAX>")]
    pub contactless_max: u64,
    /// All such purchases since the last PIN.
    #[serde(deserialize_with = "within::<_, u64, 0, MONEY_MAX>")]
    pub contactless_sum: u64,
    /// How many such purchases.
    #[serde(deserialize_with = "within::<_, u32, 0, 1_000_000>")]
    pub contactless_count: u32,
    /// One purchase in a web shop without a confirmation; 0 lets none be.
    #[serde(deserialize_with = "within::<_, u64, 0, MONEY_MAX>")]
    pub remote_max: u64,
    /// All such purchases since the last confirmation.
    #[serde(deserialize_with = "within::<_, u64, 0, MONEY_MAX>")]
    pub remote_sum: u64,
    /// How many such purchases.
    #[serde(deserialize_with = "within::<_, u32, 0, 1_000_000>")]
    pub remote_count: u32,
    /// One whose acquirer claims to have analysed the risk; 0 takes no such claim.
    #[serde(deserialize_with = "within::<_, u64, 0, MONEY_MAX>")]
    pub remote_risk_max: u64,
    /// Loads a day.
    #[serde(deserialize_with = "within::<_, u64, 0, MONEY_MAX>")]
    pub load_day: u64,
    /// Loads a month.
    #[serde(deserialize_with = "within::<_, u64, 0, MONEY_MAX>")]
    pub load_month: u64,
    /// Largest balance that a load may lead to.
    #[serde(deserialize_with = "within::<_, u64, 0, MONEY_MAX>")]
    pub balance_max: u64,
}

/// Failure counters of the last `window_s` seconds; 0 switches a rule off.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AbuseConfig {
    /// Failed tries of one card.
    #[serde(deserialize_with = "within::<_, u32, 0, 1_000_000_000>")]
    pub card_failures: u32,
    /// Failed tries below one BIN, over all merchants.
    #[serde(deserialize_with = "within::<_, u32, 0, 1_000_000_000>")]
    pub bin_failures: u32,
    /// Failed tries of one terminal.
    #[serde(deserialize_with = "within::<_, u32, 0, 1_000_000_000>")]
    pub terminal_failures: u32,
    /// The window in which failures count.
    #[serde(deserialize_with = "within::<_, u32, 1, 86_400>")]
    pub window_s: u32,
    /// Largest purchase by a chip card's stripe, in cents.
    #[serde(deserialize_with = "within::<_, u64, 0, MONEY_MAX>")]
    pub stripe_cap: u64,
    /// The dispense fault of 30 days that is parked until the cash count.
    #[serde(deserialize_with = "within::<_, u32, 0, 1_000>")]
    pub dispense_faults: u32,
    /// How far ahead of its last counter a chip may be.
    #[serde(deserialize_with = "within::<_, u16, 0, 65_535>")]
    pub atc_jump_max: u16,
}

/// The website. It is not the switch's, but there is one file of settings.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortalConfig {
    /// The database; empty takes a file in the data directory.
    pub database_url: String,
    /// The address in people's browsers; empty takes the control API's.
    pub public_url: String,
    /// Authorities that its calls to others believe; empty takes the built-in ones.
    pub ca_file: String,
    /// Whether addresses given over an API may lead to private ones.
    pub private_targets: bool,
    /// Where results of online purchases go; empty: to a shop on this machine.
    pub results_url: String,
    /// Who is paid by payment orders.
    pub payee_name: String,
    /// Their street and number.
    pub payee_street: String,
    /// Their post code and town.
    pub payee_town: String,
    /// What payment orders say that they are for.
    pub load_purpose: String,
}

impl Default for PortalConfig {
    fn default() -> Self {
        Self {
            database_url: String::new(),
            public_url: String::new(),
            ca_file: String::new(),
            private_targets: false,
            results_url: String::new(),
            payee_name: "NLB d.d.".to_owned(),
            payee_street: "Trg republike 2".to_owned(),
            payee_town: "1000 Ljubljana".to_owned(),
            load_purpose: "Polnjenje kartice CeKR".to_owned(),
        }
    }
}

impl fmt::Debug for PortalConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The database's address may hold a password.
        f.debug_struct("PortalConfig").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

/// An OpenID Connect provider, as Rekono is one.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RekonoConfig {
    /// The provider; empty offers passkeys alone.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Our secret there; empty for a public client.
    pub client_secret: String,
    /// The claim that tells the level of assurance.
    pub level_claim: String,
    /// What stands in that claim for level 20.
    pub level_20: String,
    /// What stands in that claim for level 30.
    pub level_30: String,
    /// Where holders confirm online purchases.
    pub confirmations: Confirmations,
}

/// Where holders confirm online purchases.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmations {
    /// On the website's own page, with a passkey.
    App,
    /// At the provider, which asks on a device of its own (CIBA).
    Ciba,
}

impl fmt::Debug for RekonoConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RekonoConfig")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("level_claim", &self.level_claim)
            .finish_non_exhaustive()
    }
}

impl Default for RekonoConfig {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            client_id: String::new(),
            client_secret: String::new(),
            level_claim: "acr".to_owned(),
            level_20: "20".to_owned(),
            level_30: "30".to_owned(),
            confirmations: Confirmations::App,
        }
    }
}

/// The programme's keys: key blocks (TR-31, version D) under the start key; an empty one stands for
/// the published test key.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeysConfig {
    /// Cryptograms of chips (usage E0).
    pub imk_ac: String,
    /// Integrity of scripts (E2).
    pub imk_smi: String,
    /// Secrecy of scripts (E1).
    pub imk_smc: String,
    /// PIN verification values (V2).
    pub pvk: String,
    /// Card verification values (C0).
    pub cvk: String,
    /// PIN blocks of links, triple DES (P0).
    pub zpk: String,
    /// PIN blocks of format 4, AES (P0).
    pub zpk_aes: String,
    /// PIN pads with DUKPT over triple DES (B0).
    pub bdk: String,
    /// PIN pads with DUKPT over AES (B0).
    pub bdk_aes: String,
    /// MACs of messages (M3).
    pub mak: String,
    /// What links send working keys under, AES (K1).
    pub exchange: String,
}

// The blocks are enciphered, and still nobody needs them in a log.
impl fmt::Debug for KeysConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysConfig").finish_non_exhaustive()
    }
}

impl KeysConfig {
    /// The blocks by their names.
    #[must_use]
    pub fn blocks(&self) -> KeyBlocks<'_> {
        KeyBlocks {
            imk_ac: &self.imk_ac,
            imk_smi: &self.imk_smi,
            imk_smc: &self.imk_smc,
            pvk: &self.pvk,
            cvk: &self.cvk,
            zpk: &self.zpk,
            zpk_aes: &self.zpk_aes,
            bdk: &self.bdk,
            bdk_aes: &self.bdk_aes,
            mak: &self.mak,
            exchange: &self.exchange,
        }
    }
}

/// The listeners of a switch: never empty.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Vec<ListenerConfig>", into = "Vec<ListenerConfig>")]
pub struct Listeners {
    first: ListenerConfig,
    more: Vec<ListenerConfig>,
}

impl Listeners {
    /// The listener that `--listen` moves and the ready line names first.
    #[must_use]
    pub fn first(&self) -> &ListenerConfig {
        &self.first
    }

    /// The same, to be changed.
    pub fn first_mut(&mut self) -> &mut ListenerConfig {
        &mut self.first
    }

    /// One listener more.
    pub fn push(&mut self, listener: ListenerConfig) {
        self.more.push(listener);
    }

    /// All of them, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &ListenerConfig> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

impl TryFrom<Vec<ListenerConfig>> for Listeners {
    type Error = &'static str;

    fn try_from(all: Vec<ListenerConfig>) -> Result<Listeners, &'static str> {
        let mut all = all.into_iter();
        let first = all.next().ok_or("at least one listener is needed")?;
        Ok(Listeners { first, more: all.collect() })
    }
}

impl From<Listeners> for Vec<ListenerConfig> {
    fn from(listeners: Listeners) -> Vec<ListenerConfig> {
        let mut all = vec![listeners.first];
        all.extend(listeners.more);
        all
    }
}

/// An address to listen on: `host:port`, where the host is a number or a name of this machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

impl Address {
    /// Checks the shape; whether the address can be had is seen when it is bound.
    ///
    /// # Errors
    /// If there is no port, or no host before it.
    pub fn parse(text: &str) -> Result<Address, SettingError> {
        let (host, port) = text.rsplit_once(':').ok_or(SettingError::Address)?;
        let bare_v6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
        if host.is_empty() || bare_v6 || port.parse::<u16>().is_err() {
            return Err(SettingError::Address);
        }
        Ok(Address(text.to_owned()))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Address {
    type Error = SettingError;

    fn try_from(text: String) -> Result<Address, SettingError> {
        Address::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.0
    }
}

/// The name of a built-in dialect.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpecName(String);

impl SpecName {
    /// The dialect of that name.
    ///
    /// # Errors
    /// If there is none.
    pub fn parse(text: &str) -> Result<SpecName, SettingError> {
        Spec::by_name(text).ok_or(SettingError::Spec)?;
        Ok(SpecName(text.to_owned()))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The table of its fields.
    #[must_use]
    pub fn spec(&self) -> &'static Spec {
        // The name was proven when it was read; the default dialect stands in for nothing else.
        Spec::by_name(&self.0).unwrap_or(&cekr_iso8583::CEKR87)
    }
}

impl TryFrom<String> for SpecName {
    type Error = SettingError;

    fn try_from(text: String) -> Result<SpecName, SettingError> {
        SpecName::parse(&text)
    }
}

impl From<SpecName> for String {
    fn from(name: SpecName) -> String {
        name.0
    }
}

/// The name of a framing that a listener can have.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FramingName {
    /// Four ASCII digits.
    Ascii4,
    /// Two octets, big-endian.
    Be2,
    /// Two octets, big-endian, and five octets of TPDU.
    Nac,
}

impl FramingName {
    /// As it is written in a file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FramingName::Ascii4 => "ascii4",
            FramingName::Be2 => "be2",
            FramingName::Nac => "nac",
        }
    }

    /// The rule that tells messages apart.
    #[must_use]
    pub fn framing(self) -> Framing {
        match self {
            FramingName::Ascii4 => Framing::Ascii4,
            FramingName::Be2 => Framing::Be2,
            FramingName::Nac => Framing::Nac,
        }
    }
}

/// The first digits of a card, up to twelve of them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bin(String);

impl Bin {
    /// The digits, first one not zero: a PAN with a leading zero is never ours.
    ///
    /// # Errors
    /// If it is anything but one to twelve digits, or begins with a zero.
    pub fn parse(text: &str) -> Result<Bin, SettingError> {
        policy::Bin::parse(text).ok_or(SettingError::Bin)?;
        Ok(Bin(text.to_owned()))
    }

    /// The ASCII digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Bin {
    type Error = SettingError;

    fn try_from(text: String) -> Result<Bin, SettingError> {
        Bin::parse(&text)
    }
}

impl From<Bin> for String {
    fn from(bin: Bin) -> String {
        bin.0
    }
}

/// Why a value is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SettingError {
    /// Not `host:port`.
    #[error("an address is `host:port`, for example \"127.0.0.1:8583\"; port 0 takes a free one")]
    Address,
    /// Not the first digits of a card.
    #[error("a BIN is 1 to 12 digits as text, for example \"476173\", and begins with no 0")]
    Bin,
    /// No such dialect.
    #[error("the dialects are cekr87, iso87ascii and iso87binary")]
    Spec,
}

impl Default for DataConfig {
    fn default() -> DataConfig {
        DataConfig { dir: "./cekr-data".to_owned(), durability: Durability::Sync }
    }
}

impl Default for SwitchConfig {
    fn default() -> SwitchConfig {
        SwitchConfig {
            threads: 0,
            busy_poll: false,
            connections_max: 4_096,
            in_flight_max: 1_024,
            frame_octets_max: 4_096,
            write_timeout_ms: 5_000,
            drain_ms: 1_500,
            answers_max: 4_194_304,
            answers_window_s: 600,
        }
    }
}

impl Default for JournalSettings {
    fn default() -> JournalSettings {
        JournalSettings {
            segment_octets: 67_108_864,
            // A quarter more than answers: an answer is read from here, and not every entry is one.
            recent_max: 5_242_880,
            queue_max: 65_536,
            batch_max: 4_096,
            reserve_octets: 262_144,
            checkpoint_entries: 2_000_000,
            spin_us: 0,
        }
    }
}

impl Default for ListenerConfig {
    fn default() -> ListenerConfig {
        ListenerConfig {
            addr: Address("127.0.0.1:8583".to_owned()),
            spec: SpecName("cekr87".to_owned()),
            framing: FramingName::Be2,
            ordered: false,
            frame_timeout_ms: 5_000,
            idle_timeout_s: 300,
            echo_idle_s: 0,
            mac: MacWord::Off,
        }
    }
}

impl Default for HttpConfig {
    fn default() -> HttpConfig {
        HttpConfig {
            addr: Address("127.0.0.1:8080".to_owned()),
            operator_token: String::new(),
            connections_max: 512,
            body_octets_max: 65_536,
            header_timeout_s: 5,
            idle_timeout_s: 75,
            idempotency_max: 65_536,
        }
    }
}

impl Default for PolicyConfig {
    fn default() -> PolicyConfig {
        PolicyConfig {
            bins: vec![Bin("476173".to_owned())],
            cashpoint_requires: CashpointRequires::ChipAndPin,
            pos_requires: PosRequires::Any,
            ecommerce_requires: EcommerceRequires::Confirmation,
            abroad_scope: AbroadScope::All,
            cashback_fee: false,
            declines_per_card_hour: 1_000,
        }
    }
}

impl Default for HoldsConfig {
    fn default() -> HoldsConfig {
        HoldsConfig { ecommerce_days: 10, estimated_days: 30, present_days: 5, cashpoint_days: 2 }
    }
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        LimitsConfig {
            cash_day: 100_000,
            cash_count_day: 3,
            pos_day: 200_000,
            online_day: 100_000,
            contactless_max: 5_000,
            contactless_sum: 15_000,
            contactless_count: 0,
            remote_max: 3_000,
            remote_sum: 10_000,
            remote_count: 0,
            remote_risk_max: 10_000,
            load_day: 100_000,
            load_month: 500_000,
            balance_max: 500_000,
        }
    }
}

impl Default for AbuseConfig {
    fn default() -> AbuseConfig {
        AbuseConfig {
            card_failures: 10,
            bin_failures: 1_000,
            terminal_failures: 100,
            window_s: 600,
            stripe_cap: 50_00,
            dispense_faults: 3,
            atc_jump_max: 0,
        }
    }
}

/// Twelve digits of cents, what DE 4 can hold.
const MONEY_MAX: u64 = 999_999_999_999;

/// Reads a whole number and refuses it outside its bounds, while the file's line is known.
pub(super) fn within<'de, D, N, const MIN: u64, const MAX: u64>(from: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: TryFrom<u64>,
{
    // Read signed, so that a negative number is told its bounds and not only its type.
    let value = i64::deserialize(from)?;
    u64::try_from(value)
        .ok()
        .filter(|value| (MIN..=MAX).contains(value))
        .and_then(|value| N::try_from(value).ok())
        .ok_or_else(|| serde::de::Error::custom(format_args!("a whole number from {MIN} to {MAX}")))
}

/// As [`within`], for a length that must be a power of two.
fn power_of_two<'de, D, const MIN: u64, const MAX: u64>(from: D) -> Result<u64, D::Error>
where
    D: Deserializer<'de>,
{
    let value = within::<D, u64, MIN, MAX>(from)?;
    let fault = || serde::de::Error::custom("a power of two, such as 67108864");
    if value.is_power_of_two() { Ok(value) } else { Err(fault()) }
}
