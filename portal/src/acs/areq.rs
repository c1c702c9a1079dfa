//! The question of a shop (`AReq`), read once and strictly.
//!
//! Source: EMV 3-D Secure Protocol and Core Functions Specification 2.1.0 and 2.2.0, data elements
//! of the AReq for payments and other authentications, from browsers, apps and without a buyer.

use cekr_iso8583::{CurrencyCode, Expiry, Pan};
use cekr_issuer::Amount;

use super::elements::{Context, Element, Holds, Needed, check};
use super::error_message::{ErrorCode, Fault, known_version};
use super::iso;
use super::json::Members;
use super::payee;
use super::uuid::Uuid;

/// Where the buyer sits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum DeviceChannel {
    /// A shop's app.
    App,
    /// A browser.
    Browser,
    /// Nobody is there.
    Requestor,
}

impl DeviceChannel {
    /// `deviceChannel`.
    #[must_use]
    pub(super) const fn number(self) -> &'static str {
        match self {
            Self::App => "01",
            Self::Browser => "02",
            Self::Requestor => "03",
        }
    }
}

/// What the shop says about asking the holder (`threeDSRequestorChallengeInd`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Preference {
    /// It wants, or by a mandate needs, the holder asked.
    Ask,
    /// It leaves that to us.
    None,
    /// It only tells, and wants no answer.
    OnlyTells,
    /// It has analysed the risk itself.
    RiskAnalysed,
}

/// What is to be paid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Payment {
    /// Minor units.
    pub(super) amount: Amount,
    /// ISO 4217.
    pub(super) currency: CurrencyCode,
    /// Of the shop, ISO 3166-1 alpha-2.
    pub(super) country: [u8; 2],
    /// Merchant category code.
    pub(super) mcc: u16,
    /// `acquirerMerchantID`.
    pub(super) merchant: String,
    /// `merchantName`, as it came.
    pub(super) name: String,
    /// `merchantName`, safe to show.
    pub(super) payee: String,
}

/// The question.
#[derive(Clone)]
pub(super) struct AReq {
    /// `messageVersion`.
    pub(super) version: &'static str,
    /// `threeDSServerTransID`.
    pub(super) server_trans_id: Uuid,
    /// `dsTransID`.
    pub(super) ds_trans_id: Uuid,
    /// `dsReferenceNumber`.
    pub(super) ds_reference: String,
    /// `dsURL`: never opened because a message says so.
    pub(super) ds_url: String,
    /// `threeDSRequestorURL`.
    pub(super) shop_url: String,
    /// `notificationURL`; empty where there is no browser.
    pub(super) notification_url: String,
    /// Where the buyer sits.
    pub(super) device_channel: DeviceChannel,
    /// The number, if it is one at all; kept no longer than this value lives.
    pub(super) number: Option<Pan>,
    /// `cardExpiryDate`.
    pub(super) expiry: Option<Expiry>,
    /// What is to be paid; none where nothing is.
    pub(super) payment: Option<Payment>,
    /// What the shop says about asking.
    pub(super) preference: Preference,
    /// `sl` or `en`.
    pub(super) language: &'static str,
}

impl AReq {
    /// Reads a message.
    ///
    /// # Errors
    /// The protocol's fault, with the elements that it is about.
    pub(super) fn read(members: &Members) -> Result<AReq, Fault> {
        let version = kind_and_version(members, "AReq")?;
        let text = |name: &str| members.text(name).unwrap_or_default();
        let runs_scripts = members.value("browserJavascriptEnabled").and_then(|it| it.as_bool());
        let context = Context {
            version,
            device_channel: text("deviceChannel"),
            message_category: text("messageCategory"),
            runs_scripts: runs_scripts.unwrap_or(true),
        };
        check(members, ELEMENTS, context)?;
        extensions(members)?;
        let uuid = |name: &str| {
            Uuid::parse(text(name)).ok_or_else(|| Fault::new(ErrorCode::ElementInvalid, name))
        };
        Ok(AReq {
            version,
            server_trans_id: uuid("threeDSServerTransID")?,
            ds_trans_id: uuid("dsTransID")?,
            ds_reference: text("dsReferenceNumber").to_owned(),
            ds_url: text("dsURL").to_owned(),
            shop_url: text("threeDSRequestorURL").to_owned(),
            notification_url: text("notificationURL").to_owned(),
            device_channel: match text("deviceChannel") {
                "01" => DeviceChannel::App,
                "02" => DeviceChannel::Browser,
                _ => DeviceChannel::Requestor,
            },
            number: Pan::parse(text("acctNumber").as_bytes()).ok(),
            expiry: members.text("cardExpiryDate").and_then(expiry),
            payment: match text("messageCategory") {
                "01" => Some(payment(members)?),
                _ => None,
            },
            preference: match text("threeDSRequestorChallengeInd") {
                "03" | "04" | "09" => Preference::Ask,
                "05" => Preference::RiskAnalysed,
                "06" => Preference::OnlyTells,
                _ => Preference::None,
            },
            language: if is_slovene(text("browserLanguage")) { "sl" } else { "en" },
        })
    }
}

/// The version of a message of the kind `kind`.
///
/// # Errors
/// 101 for another kind, 201 and 203 for no version, 102 for one that is not spoken here.
pub(super) fn kind_and_version(members: &Members, kind: &str) -> Result<&'static str, Fault> {
    if members.text("messageType") != Some(kind) {
        let detail = format!("messageType: {kind} is taken here");
        return Err(Fault::new(ErrorCode::MessageInvalid, detail));
    }
    let Some(version) = members.value("messageVersion") else {
        return Err(Fault::new(ErrorCode::ElementMissing, "messageVersion"));
    };
    let version = version.as_str().filter(|version| {
        let parts: Vec<&str> = version.split('.').collect();
        let is_part = |part: &&str| {
            (1..=2).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_digit())
        };
        parts.len() == 3 && parts.iter().all(is_part)
    });
    let version = version.ok_or(Fault::new(ErrorCode::ElementInvalid, "messageVersion"))?;
    known_version(version).ok_or_else(|| {
        let detail = super::error_message::VERSIONS.join(",");
        Fault::new(ErrorCode::VersionNotSupported, detail)
    })
}

/// Refuses what must be understood and is not: no extension is known here.
fn extensions(members: &Members) -> Result<(), Fault> {
    let Some(all) = members.value("messageExtension").and_then(|all| all.as_array()) else {
        return Ok(());
    };
    let mut critical = Vec::new();
    for extension in all {
        let text = |name| extension.get(name).and_then(|value| value.as_str()).unwrap_or_default();
        let id = text("id");
        let is_critical = extension.get("criticalityIndicator").and_then(|value| value.as_bool());
        let is_named = |text: &str| (1..=64).contains(&text.chars().count());
        match is_critical {
            Some(is_critical) if is_named(id) && is_named(text("name")) => {
                if is_critical {
                    critical.push(id.chars().filter(|letter| !letter.is_control()).collect());
                }
            }
            _ => return Err(Fault::new(ErrorCode::ElementInvalid, "messageExtension")),
        }
    }
    if critical.is_empty() {
        return Ok(());
    }
    let critical: Vec<String> = critical;
    Err(Fault::new(ErrorCode::CriticalExtension, critical.join(",")))
}

fn payment(members: &Members) -> Result<Payment, Fault> {
    let text = |name: &str| members.text(name).unwrap_or_default();
    let unknown = |name: &str| Fault::new(ErrorCode::IsoCodeInvalid, name);
    let absurd = |name: &str| Fault::new(ErrorCode::TransactionInvalid, name);
    let code = text("purchaseCurrency").parse().ok().and_then(CurrencyCode::new);
    let code = code.ok_or_else(|| unknown("purchaseCurrency"))?;
    let currency = iso::currency(code.number()).ok_or_else(|| unknown("purchaseCurrency"))?;
    let country = iso::country(text("merchantCountryCode"));
    let country = country.ok_or_else(|| unknown("merchantCountryCode"))?;
    if text("purchaseExponent").parse() != Ok(currency.exponent) {
        return Err(absurd("purchaseExponent"));
    }
    // What no authorization could ask for afterwards is not confirmed either.
    let amount = text("purchaseAmount").parse().unwrap_or(u64::MAX);
    if !(1..=AMOUNT_MAX).contains(&amount) {
        return Err(absurd("purchaseAmount"));
    }
    let mcc = text("mcc").parse().map_err(|_| absurd("mcc"))?;
    let merchant = text("acquirerMerchantID");
    let name = text("merchantName");
    Ok(Payment {
        amount: Amount::from_minor(amount),
        currency: code,
        country,
        mcc,
        merchant: merchant.to_owned(),
        name: name.to_owned(),
        payee: payee::safe(name, merchant),
    })
}

fn expiry(text: &str) -> Option<Expiry> {
    text.parse().ok().and_then(Expiry::new)
}

fn is_slovene(tag: &str) -> bool {
    let language = tag.split(['-', '_']).next().unwrap_or_default();
    language.eq_ignore_ascii_case("sl")
}

/// Twelve digits: what DE 4 can tell.
const AMOUNT_MAX: u64 = 999_999_999_999;

const fn row(name: &'static str, holds: Holds, needed: Needed) -> Element {
    Element { name, holds, needed }
}

const YES_NO: Holds = Holds::OneOf(&["Y", "N"]);

/// Every element of the message that is judged here.
const ELEMENTS: &[Element] = &[
    row("acctID", Holds::Text(1, 64), Needed::No),
    row("acctInfo", Holds::Object, Needed::No),
    row("acctNumber", Holds::Digits(13, 19), Needed::Always),
    row("acctType", Holds::OneOf(&["01", "02", "03"]), Needed::No),
    row("acquirerBIN", Holds::Text(1, 11), Needed::Payment),
    row("acquirerMerchantID", Holds::Text(1, 35), Needed::Payment),
    row("addrMatch", YES_NO, Needed::No),
    row("billAddrCity", Holds::Text(1, 50), Needed::No),
    row("billAddrCountry", Holds::Digits(3, 3), Needed::No),
    row("billAddrLine1", Holds::Text(1, 50), Needed::No),
    row("billAddrLine2", Holds::Text(1, 50), Needed::No),
    row("billAddrLine3", Holds::Text(1, 50), Needed::No),
    row("billAddrPostCode", Holds::Text(1, 16), Needed::No),
    row("billAddrState", Holds::Text(1, 3), Needed::No),
    row("browserAcceptHeader", Holds::Text(1, 2_048), Needed::Browser),
    row("browserColorDepth", COLOR_DEPTHS, Needed::BrowserScript),
    row("browserIP", Holds::Text(2, 45), Needed::No),
    row("browserJavaEnabled", Holds::Bool, Needed::BrowserScript),
    row("browserJavascriptEnabled", Holds::Bool, Needed::BrowserNewer),
    row("browserLanguage", Holds::Text(1, 8), Needed::Browser),
    row("browserScreenHeight", Holds::Digits(1, 6), Needed::BrowserScript),
    row("browserScreenWidth", Holds::Digits(1, 6), Needed::BrowserScript),
    row("browserTZ", Holds::Zone, Needed::BrowserScript),
    row("browserUserAgent", Holds::Text(1, 2_048), Needed::Browser),
    row("cardExpiryDate", Holds::YearMonth, Needed::No),
    row("cardholderName", Holds::Text(2, 45), Needed::No),
    row("deviceChannel", Holds::OneOf(&["01", "02", "03"]), Needed::Always),
    row("deviceRenderOptions", Holds::Object, Needed::App),
    row("dsReferenceNumber", Holds::Text(1, 32), Needed::Always),
    row("dsTransID", Holds::Uuid, Needed::Always),
    row("dsURL", Holds::WebAddress(2_048), Needed::Always),
    row("email", Holds::Text(3, 254), Needed::No),
    row("homePhone", Holds::Object, Needed::No),
    row("mcc", Holds::Digits(4, 4), Needed::Payment),
    row("merchantCountryCode", Holds::Digits(3, 3), Needed::Payment),
    // Control characters in a name are no fault of the message: it is made safe.
    row("merchantName", Holds::Name(40), Needed::Payment),
    row("merchantRiskIndicator", Holds::Object, Needed::No),
    row("messageCategory", Holds::OneOf(&["01", "02"]), Needed::Always),
    row("messageExtension", Holds::Array, Needed::No),
    row("mobilePhone", Holds::Object, Needed::No),
    row("notificationURL", Holds::WebAddress(256), Needed::Browser),
    row("payTokenInd", Holds::Bool, Needed::No),
    row("purchaseAmount", Holds::Digits(1, 48), Needed::Payment),
    row("purchaseCurrency", Holds::Digits(3, 3), Needed::Payment),
    row("purchaseDate", Holds::Time, Needed::Payment),
    row("purchaseExponent", Holds::Digits(1, 1), Needed::Payment),
    row("purchaseInstalData", Holds::Digits(1, 3), Needed::No),
    row("recurringExpiry", Holds::Digits(8, 8), Needed::No),
    row("recurringFrequency", Holds::Digits(1, 4), Needed::No),
    row("sdkAppID", Holds::Uuid, Needed::App),
    row("sdkEncData", Holds::Text(1, 64_000), Needed::No),
    row("sdkEphemPubKey", Holds::Object, Needed::App),
    row("sdkMaxTimeout", Holds::Digits(2, 2), Needed::App),
    row("sdkReferenceNumber", Holds::Text(1, 32), Needed::App),
    row("sdkTransID", Holds::Uuid, Needed::App),
    row("shipAddrCity", Holds::Text(1, 50), Needed::No),
    row("shipAddrCountry", Holds::Digits(3, 3), Needed::No),
    row("shipAddrLine1", Holds::Text(1, 50), Needed::No),
    row("shipAddrLine2", Holds::Text(1, 50), Needed::No),
    row("shipAddrLine3", Holds::Text(1, 50), Needed::No),
    row("shipAddrPostCode", Holds::Text(1, 16), Needed::No),
    row("shipAddrState", Holds::Text(1, 3), Needed::No),
    row("threeDSCompInd", Holds::OneOf(&["Y", "N", "U"]), Needed::Browser),
    row("threeDSRequestorAuthenticationInd", AUTHENTICATION, Needed::Buyer),
    row("threeDSRequestorChallengeInd", CHALLENGE, Needed::No),
    row("threeDSRequestorID", Holds::Text(1, 35), Needed::Always),
    row("threeDSRequestorName", Holds::Text(1, 40), Needed::Always),
    row("threeDSRequestorURL", Holds::WebAddress(2_048), Needed::Always),
    row("threeDSServerRefNumber", Holds::Text(1, 32), Needed::Always),
    row("threeDSServerTransID", Holds::Uuid, Needed::Always),
    row("threeDSServerURL", Holds::WebAddress(2_048), Needed::Always),
    row("threeRIInd", THREE_RI, Needed::Requestor),
    row("transType", Holds::OneOf(&["01", "03", "10", "11", "28"]), Needed::No),
    row("workPhone", Holds::Object, Needed::No),
];

const AUTHENTICATION: Holds = Holds::OneOfByVersion(
    &["01", "02", "03", "04", "05", "06"],
    &["01", "02", "03", "04", "05", "06", "07"],
);
const CHALLENGE: Holds = Holds::OneOfByVersion(
    &["01", "02", "03", "04"],
    &["01", "02", "03", "04", "05", "06", "07", "08", "09"],
);
const COLOR_DEPTHS: Holds = Holds::OneOf(&["1", "4", "8", "15", "16", "24", "32", "48"]);
const THREE_RI: Holds = Holds::OneOfByVersion(
    &["01", "02", "03", "04", "05"],
    &["01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11"],
);
