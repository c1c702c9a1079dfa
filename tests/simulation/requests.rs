//! What terminals of a seeded world ask: the kinds of messages, and what is odd about them.

use crate::oracle::{NEW_PINS, WRONG_PINS};
use crate::support::chip::sealed;
use crate::support::{
    CardSpec, Told, balance_inquiry, original_of, pan_of, pin_block, purchase, purchase_abroad,
    purchase_online, withdrawal,
};
use crate::world::{CARDS, Named, World, is_nameless};

impl World {
    fn cents(&mut self) -> u64 {
        match self.random.below(20) {
            0 => *self.random.pick(&[0, 1, 300_00, 300_10, 301_00, 1_234_50]).unwrap(),
            1 => self.random.within(&(500_00..3_000_00)),
            2..=4 => self.random.within(&(100_00..400_00)),
            _ => self.random.within(&(1..60_00)),
        }
    }

    pub(crate) fn request(&mut self) -> Told {
        let number = usize::try_from(self.random.below(CARDS)).unwrap();
        let card = self.cards[number].clone();
        let (stan, cents) = (self.next_stan(), self.cents());
        let told = self.kind(&card, stan, cents);
        let told = self.oddity(told, &card);
        let told = self.inserted(told, &card);
        let told = self.with_value(told, &card);
        let terminal = told.text(41).unwrap_or("POS00001")[..3].to_owned();
        let till = self.random.below(3) + 1;
        told.with(7, self.transmitted()).with(41, format!("{terminal}{till:05}"))
    }

    /// The same by the card's chip, in worlds where chips seal; some of it is old, or forged.
    fn inserted(&mut self, told: Told, card: &CardSpec) -> Told {
        let Some((random, counters)) = &mut self.chips else { return told };
        let is_at_hand = matches!(told.text(22), Some("012" | "901")) && told.text(55).is_none();
        if !is_at_hand || random.per_mille(300) {
            return told;
        }
        let last = counters.entry(card.pan).or_insert(0);
        let atc = match random.below(12) {
            0 => last.saturating_sub(u16::try_from(random.below(80)).unwrap()),
            1 => *last + 70,
            _ => *last + 1,
        };
        *last = atc.max(*last);
        let mut chip = sealed(atc, told.number(4).unwrap_or(0));
        if told.text(49) == Some("840") {
            chip.transaction.currency = [0x08, 0x40];
        }
        match random.below(14) {
            0 => chip.transaction.tvr[0] |= 0x10,
            1 => chip.cvm_results = [0x41, 0x03, 0x02],
            2 => chip.information = 0x40,
            3 => chip.issuer_data[2] = 0x0A,
            _ => {}
        }
        let is_forged = random.per_mille(80);
        let told = chip.within(told, card.pan);
        if !is_forged {
            return told;
        }
        let data = told.text(55).unwrap();
        // A value that is sealed, or the cryptogram itself.
        let at = data.find(random.pick(&["9F2608", "9F3602", "9F3704", "9505"]).unwrap()).unwrap();
        let turned = if &data[at + 7..at + 8] == "0" { "1" } else { "0" };
        let data = format!("{}{turned}{}", &data[..at + 7], &data[at + 8..]);
        told.with(55, data)
    }

    fn kind(&mut self, card: &CardSpec, stan: u32, cents: u64) -> Told {
        let notes = (cents / 10_00 + 1) * 10_00;
        let is_cekr87 = self.dialect.spec.name() == "cekr87";
        match self.random.below(30) {
            0..=5 => purchase(card, stan, cents),
            6 | 7 => purchase(card, stan, cents).of_mti(100),
            8 | 26 => purchase(card, stan, cents).of_mti(100).with(25, "06"),
            27 => self.pin_change(card, stan),
            28 => self.cashback(card, stan, cents).of_mti(100).with(25, "06"),
            29 => self.foreign(card, stan, cents).of_mti(100),
            9 if is_cekr87 => purchase(card, stan, cents).with(48, "61011"),
            9..=11 => purchase_online(card, stan, cents),
            12 if is_cekr87 => purchase(card, stan, cents).of_mti(100).with(48, "420207"),
            12 | 13 => purchase_abroad(card, stan, cents),
            14..=16 => withdrawal(card, stan, notes),
            17 => withdrawal(card, stan, notes + 2_50).with(28, "D00000250").of_mti(100),
            18 => self.cashback(card, stan, cents),
            19 => self.foreign(card, stan, cents),
            20 | 21 => balance_inquiry(card, stan),
            22 => purchase(card, stan, 0).with(25, "51"),
            23 => withdrawal(card, stan, notes).of_mti(100).with(3, "320000").without(&[52]),
            _ => self.refund(card, stan, cents),
        }
    }

    fn cashback(&mut self, card: &CardSpec, stan: u32, cents: u64) -> Told {
        let cash = self.random.within(&(1..cents + 2));
        purchase(card, stan, cents).with(3, "090000").with(54, format!("0040978D{cash:012}"))
    }

    /// In dollars.
    fn foreign(&mut self, card: &CardSpec, stan: u32, cents: u64) -> Told {
        let billed = cents * 9 / 10;
        let notes = (cents / 10_00 + 1) * 10_00;
        let told = match self.random.below(2) {
            0 => purchase_abroad(card, stan, cents),
            _ => withdrawal(card, stan, notes).with(43, format!("{:38}HR", "ATM ZAGREB")),
        };
        told.with(49, "840").with(6, format!("{billed:012}")).with(51, "978")
    }

    fn refund(&mut self, card: &CardSpec, stan: u32, cents: u64) -> Told {
        let refund = purchase(card, stan, cents.min(30_00)).with(3, "200000");
        let Some(Named { told: original, .. }) = self.earlier() else { return refund };
        // A refund's reference may be that of a purchase of long ago.
        let is_paid = !matches!(original.text(3), Some("200000" | "920000"));
        if is_nameless(&original) || original.text(42).is_none() || !is_paid {
            return refund;
        }
        let own = |de| original.text(de).unwrap().to_owned();
        match self.random.below(3) {
            0 => refund,
            1 => refund.with(2, own(2)).without(&[14]).with(37, own(37)),
            _ => refund
                .with(2, own(2))
                .without(&[14])
                .with(41, own(41))
                .with(90, original_of(&original)),
        }
    }

    fn pin_change(&mut self, card: &CardSpec, stan: u32) -> Told {
        let new = *self.random.pick(&NEW_PINS).unwrap();
        let block = match self.random.below(12) {
            0 => "54120123456789AB".to_owned(),
            1 => "5416012345678XYZABCD".to_owned(),
            2 => "54160123456789ABCDEF".to_owned(),
            _ => format!("5416{}", pin_block(card.pan, new)),
        };
        let mti = *self.random.pick(&[100, 200]).unwrap();
        let told = withdrawal(card, stan, 0).of_mti(mti).with(3, "920000").with(48, block);
        match self.random.below(4) {
            0 => told,
            1 => told.without(&[4, 48]),
            _ => told.without(&[4]),
        }
    }

    /// What was decided elsewhere is told afterwards.
    pub(crate) fn advice(&mut self) -> Told {
        let asked = self.request();
        let mti = *self.random.pick(&[120, 220]).unwrap();
        let told = asked.of_mti(mti).without(&[52]);
        match self.random.below(8) {
            0 => told.with(39, "00"),
            1 => told.with(39, *self.random.pick(&["05", "51", "10", "85"]).unwrap()),
            2 => told.with(38, "STIP01").with(39, "08"),
            3 if told.text(3) != Some("200000") => {
                told.with(90, format!("0100{:06}11220900000000040897200000000000", 999_999))
            }
            4 if told.text(3) != Some("200000") => told.with(4, "000000000000"),
            _ => told,
        }
    }

    /// A request that is open for more, as far as the world knows.
    fn hold(&mut self) -> Option<Named> {
        let newest = *self.random.pick(&[5, 40]).unwrap();
        let named = match self.random.below(10) {
            0 => self.earlier(),
            1..=4 => self.earlier_that(newest, |sent| {
                sent.auth_code.is_some() && sent.told.text(25) == Some("06")
            }),
            _ => self.earlier_that(newest, |sent| {
                sent.auth_code.is_some() && matches!(sent.told.mti / 10, 10 | 12)
            }),
        };
        named.filter(|named| !is_nameless(&named.told))
    }

    /// Names a message of before in one of the ways that completions know.
    fn naming(&mut self, told: Told, named: &Named) -> Told {
        let told = told.without(&[38, 90]);
        let original = &named.told;
        let of = original_of(original);
        match (self.random.below(8), &named.auth_code) {
            (0, _) => told.with(90, format!("0000{}", &of[4..])),
            (1 | 2, Some(code)) => told.with(37, original.text(37).unwrap()).with(38, code),
            (3, Some(code)) => told.with(38, code),
            (4, Some(code)) => told.with(90, of).with(38, code),
            _ => told.with(90, of),
        }
    }

    /// More is set aside on top of what is.
    pub(crate) fn increment(&mut self) -> Told {
        let Some(named) = self.hold() else { return self.request() };
        let number = named.told.number(2);
        let Some(card) = self.cards.iter().find(|card| Some(card.pan) == number).cloned() else {
            return self.request();
        };
        self.belongs_to(&named);
        let (stan, cents) = (self.next_stan(), self.cents());
        let told = purchase(&card, stan, cents)
            .of_mti(100)
            .with(25, "06")
            .with(7, self.transmitted())
            .with(32, named.told.text(32).unwrap())
            .with(41, named.told.text(41).unwrap());
        self.naming(told, &named)
    }

    /// The final amount of a hold is told.
    pub(crate) fn completion(&mut self) -> Told {
        let Some(named) = self.hold() else { return self.request() };
        self.ends(&named);
        self.belongs_to(&named);
        let original = named.told.clone();
        let asked = original.number(4).unwrap_or(0);
        let cents = match self.random.below(12) {
            0 => 0,
            1..=4 => self.random.below(asked + 1),
            5 | 6 => asked,
            7 => asked * 6 / 5,
            8 => asked * 6 / 5 + 1,
            9 => asked * 11 / 10,
            10 => self.random.below(asked * 2 + 1),
            _ => asked * 2,
        };
        let stan = self.next_stan();
        let mut told = Told { mti: 220, ..original.clone() }
            .with(4, format!("{cents:012}"))
            .with(7, self.transmitted())
            .with(11, format!("{stan:06}"))
            .without(&[14, 22, 28, 35, 39, 48, 52, 54, 55]);
        if let Some(billed) = original.number(6) {
            let billed = (billed * cents).checked_div(asked).unwrap_or(billed);
            told = told.with(6, format!("{billed:012}"));
        }
        if self.random.per_mille(120) {
            told = told.with(39, *self.random.pick(&["00", "10", "05", "91"]).unwrap());
        }
        self.naming(told, &named)
    }

    /// An acquirer's end of the day: what it counted, or only the question.
    pub(crate) fn reconciliation(&mut self) -> Told {
        let acquirer = self.acquirer();
        let mti = *self.random.pick(&[500, 520]).unwrap();
        let stan = self.next_stan();
        let mut told = Told::new(mti).with(7, self.transmitted()).with(11, format!("{stan:06}"));
        let last = self.totals.get(&acquirer).cloned().filter(|_| self.random.per_mille(700));
        let is_part = self.random.per_mille(300);
        for de in [74, 75, 76, 77, 86, 87, 88, 89, 97] {
            let value = last.as_ref().and_then(|last| last.text(de));
            let is_told = !(is_part && self.random.per_mille(500));
            if let Some(value) = value.filter(|_| is_told) {
                told = told.with(de, value);
            }
        }
        if self.random.per_mille(100) {
            told = told.with(76, "0000000001");
        }
        match acquirer {
            Some(acquirer) => told.with(32, acquirer),
            None => told,
        }
    }

    fn acquirer(&mut self) -> Option<String> {
        let acquirers = [None, Some("408972"), Some("408972"), Some("408973")];
        self.random.pick(&acquirers).unwrap().map(str::to_owned)
    }

    /// A list of cards that are out of use gets an entry.
    pub(crate) fn file_action(&mut self) -> Told {
        let account = self.random.below(CARDS + 2);
        let action = *self.random.pick(&["1", "2", "3", "5", "5", "5"]).unwrap();
        let stan = self.next_stan();
        let told = Told::new(302)
            .with(2, pan_of(account))
            .with(7, self.transmitted())
            .with(11, format!("{stan:06}"))
            .with(91, action)
            .with(101, "HOTCARD");
        match self.random.below(8) {
            0 => told.with(120, "41 at the fair"),
            1 => told.with(120, "43"),
            2 => told.with(32, "408972").with(41, "FILES001"),
            3 => told.without(&[*self.random.pick(&[2, 7, 11, 91, 101]).unwrap()]),
            4 => told.with(101, "OTHER"),
            _ => told,
        }
    }

    /// One request in three has something odd about it.
    fn oddity(&mut self, told: Told, card: &CardSpec) -> Told {
        let wrong = *self.random.pick(&WRONG_PINS).unwrap();
        match self.random.below(51) {
            0 => told.with(2, pan_of(CARDS + 7)),
            1 => told.with(2, 5_555_555_555_554_444_u64),
            2 => told.with(2, card.pan + 1),
            3 => told.with(14, "2911"),
            4 => told.without(&[14]),
            5 => told.without(&[32]),
            6 | 7 => told.with(52, pin_block(card.pan, wrong)),
            8 => told.with(52, pin_block(card.pan, card.pin)),
            9 => told.with(52, "0123456789ABCDEF"),
            10 => told.with(22, "801"),
            11 => told.with(55, "9F3602002A"),
            12 => told.without(&[43]).with(19, *self.random.pick(&["705", "191"]).unwrap()),
            13 => told.without(&[43]),
            14 => told.with(25, *self.random.pick(&["01", "05", "08", "59"]).unwrap()),
            15 => told.without(&[*self.random.pick(&[3, 4, 7, 11, 41, 49]).unwrap()]),
            16 => {
                let track = format!("{}={:04}2010000000000", card.pan, card.expiry);
                told.with(35, track)
            }
            17 => told.with(35, format!("{}=30112010000000000", card.pan)),
            18 => told.with(18, *self.random.pick(&["6010", "6011"]).unwrap()),
            19 => told.with(3, *self.random.pick(&["110000", "170000", "400000"]).unwrap()),
            _ => told,
        }
    }

    pub(crate) fn network(&mut self) -> Told {
        let code = *self.random.pick(&["001", "002", "201", "301", "301"]).unwrap();
        let stan = self.next_stan();
        let told = Told::new(800)
            .with(7, self.transmitted())
            .with(11, format!("{stan:06}"))
            .with(70, code);
        match self.acquirer() {
            Some(acquirer) => told.with(32, acquirer),
            None => told,
        }
    }
}
