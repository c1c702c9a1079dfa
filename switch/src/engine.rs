//! The engine: the octets of a read in, framed replies out, each with what it must wait for.
//!
//! Synchronous, without socket, file, clock or randomness: a seeded world drives this same code.
//! Frames are told apart and parsed some at a time, and what each will need of cards and answers is
//! touched, before the first is decided: the memory is on its way meanwhile.

mod link;
mod prove;

use cekr_emv::issuer::{Command, Outcome};
use cekr_emv::keys::Kcv;
use cekr_iso8583::{
    Encoding, FrameError, Framing, Header, Mti, Pan, ParseError, ParseErrorKind, Shapes, Spec,
    Step, View, WriteError, view,
};
use cekr_issuer::decide::entry as entry_of;
use cekr_issuer::entry::{MaskedPan, Place, Reconciled};
use cekr_issuer::reconciliation::write_reply;
use cekr_issuer::reply::Extra;
use cekr_issuer::{
    About, Answer, Ask, Card, CardId, ChipScript, ChipSeen, Decision, Desk, Entry, Fact, Inbound,
    Now, OriginalSeen, Policy, ProofKind, Proofs, Reason, Reject, Request, RequestKey, Seq,
    Signals, decide,
};

use self::prove::Case;
use crate::abuse::Failures;
use crate::answers::{Answers, Held, Mark};
use crate::hsm::{ChipAnswer, ChipOrder};
use crate::planted::{self, Fault};
use crate::shard::Shard;
use crate::sync::Arc;
use crate::table::Cell;

/// What a connection's messages look like, by its listener.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// The listener's number: it stands in for an acquirer that messages do not name.
    pub id: u32,
    /// The message format.
    pub spec: &'static Spec,
    /// How messages are told apart on the wire.
    pub framing: Framing,
    /// The longest frame, in octets.
    pub octets_max: usize,
    /// Whether messages must have a MAC.
    pub mac: MacRule,
}

/// Whether the messages of a link must have a MAC (DE 64 or 128).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MacRule {
    /// They need none, and none is looked at.
    #[default]
    Off,
    /// Each must have the right one, and so has each reply.
    Required,
}

/// What a reply must wait for before it may leave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ticket {
    /// Until this entry is durable: no answer leaves before what it reveals is on disk.
    After(Seq),
    /// Nothing.
    Now,
}

/// The place of one framed reply in [`Outgoing::bytes`].
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// What it waits for.
    pub ticket: Ticket,
    /// Its first octet.
    pub start: u32,
    /// The octet after its last.
    pub end: u32,
}

/// The replies to one read, and what was counted on the way. Reused from read to read.
#[derive(Default)]
pub struct Outgoing {
    /// Grows to what the largest read needs and stays; only the first `len` octets are replies.
    buffer: Vec<u8>,
    len: usize,
    /// The replies in the order of their requests.
    pub spans: Vec<Span>,
    /// What was counted since the caller last looked.
    pub tally: Tally,
    /// How messages were laid out lately: what comes next mostly looks alike.
    shapes: Shapes<'static>,
}

impl Outgoing {
    /// The framed replies, one after the other.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// Forgets replies and spans; the tally stays until it is taken.
    pub fn clear(&mut self) {
        self.len = 0;
        self.spans.clear();
    }

    /// Room for one more reply.
    fn room(&mut self) -> &mut [u8] {
        let end = self.len + REPLY_OCTETS_MAX;
        if self.buffer.len() < end {
            self.buffer.resize(end * 2, 0);
        }
        self.buffer.get_mut(self.len..end).unwrap_or_default()
    }

    fn push(&mut self, ticket: Ticket, octets: usize) {
        let start = self.len;
        self.len += octets;
        // A read brings at most some megabytes of replies.
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.spans.push(Span { ticket, start: place(start), end: place(self.len) });
    }
}

/// Counts of one thread since they were last taken: plain numbers, added to metrics by the read.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Answers by reason, and where the money was to be spent.
    pub answers: [[u32; PLACES]; REASONS],
    /// Unreadable messages by fault.
    pub faults: [u32; FAULTS],
    /// Messages without an answer: unreadable beyond answering, or themselves answers.
    pub unanswered: u32,
    /// Answers that were given before.
    pub repeats: u32,
    /// Messages whose signals contradict each other.
    pub contradictions: u32,
    /// Messages whose billed amount is not what their rate makes of it.
    pub misconversions: u32,
}

/// One more than the largest number of a reason.
pub const REASONS: usize = 49;
/// One more than the largest number of a place; the first stands for messages about no money.
pub const PLACES: usize = 4;
/// The kinds of faults.
pub const FAULTS: usize = 8;

impl Default for Tally {
    fn default() -> Self {
        Self {
            answers: [[0; PLACES]; REASONS],
            faults: [0; FAULTS],
            unanswered: 0,
            repeats: 0,
            contradictions: 0,
            misconversions: 0,
        }
    }
}

impl Tally {
    fn answer(&mut self, reason: Reason, place: Option<Place>) {
        let place = place.map_or(0, |place| place as usize);
        let count = self.answers.get_mut(reason as usize).and_then(|by| by.get_mut(place));
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
    }

    fn fault(&mut self, kind: ParseErrorKind) {
        if let Some(count) = self.faults.get_mut(kind as usize) {
            *count = count.saturating_add(1);
        }
    }
}

/// A reply is an echo of a request with at most some dozens of octets more; a request that is
/// longer than this gets no room to have all of it echoed, which no element that we echo needs.
const REPLY_OCTETS_MAX: usize = 4_096;

/// The MAC's element in a reply to a message that had none.
const MAC_USUAL: u8 = 64;

/// Messages that are told apart ahead: about as many reads of memory as a core has under way.
const AHEAD: usize = 16;

/// The decision with all that it rests on.
pub struct Engine {
    shard: Arc<Shard>,
    policy: Policy,
    failures: Failures,
}

/// One message that was told apart, and the cell that it seems to need.
#[derive(Clone, Copy)]
struct Frame<'a, 's> {
    header: Header,
    message: &'a [u8],
    cell: Option<&'s Cell>,
}

/// One message that was read, and where its answer stands or would stand. It is filled in place and
/// used again: it is too large to be moved.
struct Message<'a> {
    /// Its elements, those before the damage if there is any.
    view: View<'a>,
    damage: Option<ParseError>,
    /// What it asks, as far as that can be told without its card.
    inbound: Result<Inbound, Reject>,
    mark: Option<Mark>,
}

impl<'a> Message<'a> {
    #[inline]
    fn empty(link: &Link) -> Self {
        let inbound = Err(Reject::Answer(Reason::FormatError));
        Self { view: View::empty(link.spec), damage: None, inbound, mark: None }
    }

    /// The number of the card that it is about.
    fn pan(&self) -> Option<Pan> {
        match &self.inbound {
            Ok(Inbound::Card(request)) => request.pan.ok(),
            Ok(Inbound::File(_) | Inbound::Network(_) | Inbound::Reconciliation(_)) | Err(_) => {
                None
            }
        }
    }

    #[inline]
    fn read(
        &mut self,
        octets: &'a [u8],
        link: &Link,
        answers: &Answers,
        shapes: &mut Shapes<'static>,
    ) {
        self.damage = self.view.read_alike(link.spec, octets, shapes).err();
        self.inbound = match self.damage {
            None => Inbound::parse(&self.view, link.id),
            Some(_) => Err(Reject::Answer(Reason::FormatError)),
        };
        self.mark = match &self.inbound {
            Ok(Inbound::Card(request)) => Some(answers.mark(&request.key)),
            Ok(Inbound::File(_) | Inbound::Network(_) | Inbound::Reconciliation(_)) | Err(_) => {
                None
            }
        };
    }
}

/// What a message is answered, and after what.
struct Given {
    told: Told,
    ticket: Ticket,
    place: Option<Place>,
}

/// What a reply says beyond the echo of its request.
enum Told {
    /// What most say.
    Answer(Answer),
    /// A working key was taken; its check value.
    KeyTaken(Kcv),
    /// An acquirer's totals.
    Totals(Box<Reconciled>),
}

impl Told {
    fn reason(&self) -> Reason {
        match self {
            Self::Answer(answer) => answer.reason,
            Self::KeyTaken(_) => Reason::Approved,
            Self::Totals(reconciled) => reconciled.answered.reason,
        }
    }

    fn write(
        &self,
        view: &View<'_>,
        mti: Mti,
        extra: Extra<'_>,
        out: &mut [u8],
    ) -> Result<usize, WriteError> {
        match self {
            Self::Answer(answer) => answer.write(view, mti, extra, out),
            Self::KeyTaken(kcv) => {
                let text = kcv.to_string();
                let extra = Extra { check_value: text.as_bytes(), ..extra };
                Answer::from(Reason::Approved).write(view, mti, extra, out)
            }
            Self::Totals(reconciled) => write_reply(reconciled, view, mti, extra.mac, out),
        }
    }
}

impl Engine {
    /// An engine that decides by `policy` over `shard`.
    #[must_use]
    pub fn new(shard: Arc<Shard>, policy: Policy) -> Self {
        let [secret, _] = shard.keyring().fingerprint_key();
        Self { shard, policy, failures: Failures::new(secret) }
    }

    /// The shard.
    #[must_use]
    pub const fn shard(&self) -> &Arc<Shard> {
        &self.shard
    }

    /// The settings that it decides by.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Answers all whole frames at the beginning of `input` and tells how many octets they took.
    ///
    /// The replies are added to `out` in the order of their requests.
    ///
    /// # Errors
    /// When the octets cannot be told apart into frames any more; the connection is to be closed.
    /// Frames before the fault are answered first: then their octets are told, and the next call
    /// meets the fault.
    pub fn handle_read(
        &self,
        link: &Link,
        input: &[u8],
        now: Now,
        out: &mut Outgoing,
    ) -> Result<usize, FrameError> {
        let now = self.shard.not_before_last(now);
        let mut messages = Vec::new();
        let mut consumed = 0;
        loop {
            let mut ahead = [None; AHEAD];
            let mut count = 0;
            let ended = loop {
                let rest = input.get(consumed..).unwrap_or_default();
                // The place is taken before the frame, so that no frame is read without one.
                let Some(place) = ahead.get_mut(count) else { break None };
                match link.framing.next(rest, link.octets_max) {
                    Ok(Step::Message { header, message, consumed: octets }) => {
                        consumed += octets;
                        count += 1;
                        *place = Some(Frame { header, message, cell: None });
                    }
                    Ok(Step::KeepAlive { consumed: octets }) => consumed += octets,
                    Ok(Step::NeedMore) => break Some(Ok(())),
                    Err(error) => break Some(Err(error)),
                }
            };
            match ahead.get_mut(..count).unwrap_or_default() {
                [] => {}
                [Some(alone)] => {
                    let mut message = Message::empty(link);
                    message.read(alone.message, link, self.shard.answers(), &mut out.shapes);
                    // Both before any lock is taken, which would wait for each by itself.
                    self.touch_answer(&message);
                    alone.cell = message.pan().and_then(|pan| self.shard.cards().find(pan));
                    self.answer(link, alone, &message, now, out);
                }
                frames => {
                    messages.resize_with(AHEAD, || Message::empty(link));
                    self.answer_all(link, frames, &mut messages, now, out);
                }
            }
            match ended {
                None => {}
                Some(Err(error)) if consumed == 0 => return Err(error),
                Some(_) => return Ok(consumed),
            }
        }
    }

    fn answer_all<'a, 's>(
        &'s self,
        link: &Link,
        frames: &mut [Option<Frame<'a, 's>>],
        messages: &mut [Message<'a>],
        now: Now,
        out: &mut Outgoing,
    ) {
        self.touch_cells(link, frames);
        let read = |(frame, message): (&Frame<'a, 's>, &mut Message<'a>)| {
            message.read(frame.message, link, self.shard.answers(), &mut out.shapes);
        };
        frames.iter().flatten().zip(&mut *messages).for_each(read);
        for (_, message) in frames.iter().flatten().zip(&*messages) {
            self.touch_answer(message);
        }
        for (frame, message) in frames.iter().flatten().zip(&*messages) {
            self.answer(link, frame, message, now, out);
        }
    }

    /// Touches the cells of the cards that messages seem to be about.
    ///
    /// Loads that stand close together miss the cache together; one between two messages' worth of
    /// work would be waited for alone. So each kind of load has a loop of its own.
    fn touch_cells<'s>(&'s self, link: &Link, frames: &mut [Option<Frame<'_, 's>>]) {
        let mut numbers = [None; AHEAD];
        for (number, frame) in numbers.iter_mut().zip(frames.iter().flatten()) {
            *number = view::card_number_ahead(link.spec, frame.message);
        }
        for (number, frame) in numbers.iter().zip(frames.iter_mut().flatten()) {
            frame.cell = number.and_then(|number| self.shard.cards().guess(number));
        }
        for cell in frames.iter().flatten().filter_map(|frame| frame.cell) {
            cell.touch();
        }
    }

    /// Touches the place where the message's answer would stand.
    fn touch_answer(&self, message: &Message<'_>) {
        if let Some(mark) = message.mark {
            self.shard.answers().touch(mark);
        }
    }

    fn answer(
        &self,
        link: &Link,
        frame: &Frame<'_, '_>,
        message: &Message<'_>,
        now: Now,
        out: &mut Outgoing,
    ) {
        let view = &message.view;
        if let Some(error) = message.damage {
            out.tally.fault(error.kind);
        }
        let reply_to = view.mti().reply().filter(|_| view.has(11));
        let given = match &message.inbound {
            Ok(_) if let Err(reason) = self.check_mac(link, view, frame.message) => {
                Given::now(reason.into())
            }
            Ok(Inbound::Card(request)) => {
                out.tally.contradictions += u32::from(request.alarms.contradiction);
                out.tally.misconversions += u32::from(request.alarms.conversion);
                let mark = message.mark.unwrap_or_else(|| self.shard.answers().mark(&request.key));
                match self.cell_of(request, frame.cell) {
                    Some(cell) => {
                        let case = self.case((link, view), request, cell);
                        self.decide_known(case, mark, now, &mut out.tally)
                    }
                    None => self.decide_unknown(request, mark, now),
                }
            }
            Ok(Inbound::File(action)) => self.act_on_file(action, now, &mut out.tally),
            Ok(Inbound::Network(network)) => {
                self.manage_link(network, (link, view), now, &mut out.tally)
            }
            Ok(Inbound::Reconciliation(ask)) => self.reconcile(ask, now, &mut out.tally),
            Err(Reject::Answer(reason)) => Given::now((*reason).into()),
            Err(Reject::IsAnswer) => {
                out.tally.unanswered += 1;
                return;
            }
        };
        let Some(mti) = reply_to else {
            out.tally.unanswered += 1;
            return;
        };
        out.tally.answer(given.told.reason(), given.place);
        let header_len = link.framing.header_len();
        let room = out.room();
        let Some((header, body)) = room.split_at_mut_checked(header_len) else {
            return;
        };
        let written = self.write(&given, link, message, mti, body);
        let framed = written
            .filter(|len| link.framing.write_header(frame.header.reply(), *len, header).is_ok());
        match framed {
            Some(len) => out.push(given.ticket, header_len + len),
            // What we echo was read by the same spec, so that it fits; if it ever does not, the
            // terminal's time-out and reversal set things right.
            None => out.tally.unanswered += 1,
        }
    }

    fn check_mac(&self, link: &Link, view: &View<'_>, message: &[u8]) -> Result<(), Reason> {
        match link.mac {
            MacRule::Off => Ok(()),
            MacRule::Required => prove::check_mac(link, view, message, self.shard.hsm()),
        }
    }

    /// Writes the reply with what keys add to it: the answer to a chip, the MAC.
    fn write(
        &self,
        given: &Given,
        link: &Link,
        message: &Message<'_>,
        mti: Mti,
        out: &mut [u8],
    ) -> Option<usize> {
        let view = &message.view;
        let mac = match link.mac {
            MacRule::Off => None,
            MacRule::Required => Some(prove::mac_element(view).unwrap_or(MAC_USUAL)),
        };
        let chip = match &given.told {
            Told::Answer(answer) if answer.chip.is_some() => {
                self.answer_chip(answer, link, message)
            }
            Told::Answer(_) | Told::KeyTaken(_) | Told::Totals(_) => ChipAnswer::NONE,
        };
        let extra = Extra { chip_data: chip.octets(), mac, ..Extra::default() };
        let len = given.told.write(view, mti, extra, out).ok()?;
        if let Some(element) = mac {
            let is_text = view.spec().field(element)?.encoding() == Encoding::Hex;
            prove::seal_reply(link, out.get_mut(..len)?, is_text, self.shard.hsm()).ok()?;
        }
        Some(len)
    }

    /// The answer to the chip: of the entry and the keys alone, so that a repeat gets the same. It
    /// is left out where the module is away: then the chip does not believe the reply.
    #[inline(never)]
    fn answer_chip(&self, answer: &Answer, link: &Link, message: &Message<'_>) -> ChipAnswer {
        let (Some(seen), Some(pan)) = (answer.chip, message.pan()) else {
            return ChipAnswer::NONE;
        };
        let code = answer.reason.response_code();
        let outcome =
            if answer.reason.is_approval() { Outcome::Approved } else { Outcome::Declined };
        let order = seen.script.and_then(|script| self.order_of(script, seen, link, message));
        let answered = self.shard.hsm().answer_chip(pan, &seen, code, outcome, order.as_ref());
        answered.unwrap_or(ChipAnswer::NONE)
    }

    /// What the chip is to do, from what is kept and the message: a repeat gets it again.
    fn order_of(
        &self,
        script: ChipScript,
        seen: ChipSeen,
        link: &Link,
        message: &Message<'_>,
    ) -> Option<ChipOrder> {
        let Ok(Inbound::Card(request)) = &message.inbound else {
            return None;
        };
        let cell = self.shard.cards().find(request.pan.ok()?)?;
        let command = match script {
            ChipScript::ApplicationBlock => Command::ApplicationBlock,
            ChipScript::ApplicationUnblock => Command::ApplicationUnblock,
            ChipScript::CardBlock => Command::CardBlock,
            ChipScript::PinChange { mark } => {
                let case = self.case((link, &message.view), request, cell);
                return case.pin_for_chip(mark).map(ChipOrder::NewPin);
            }
            ChipScript::PinUnblock => Command::PinUnblock,
            ChipScript::PutData => Command::PutData(cell.lock().datum_sent(seen.atc)?),
        };
        Some(ChipOrder::Command(command))
    }

    fn case<'c>(
        &self,
        (link, view): (&'c Link, &'c View<'c>),
        request: &'c Request,
        cell: &'c Cell,
    ) -> Case<'c> {
        Case { link, view, request, cell, secret: self.shard.keyring().fingerprint_key() }
    }

    /// The request's card: the one that was touched, if it is the one.
    fn cell_of<'s>(&'s self, request: &Request, touched: Option<&'s Cell>) -> Option<&'s Cell> {
        let pan = request.pan.ok()?;
        touched.filter(|cell| cell.is(pan.expose())).or_else(|| self.shard.cards().find(pan))
    }

    /// An unknown number takes the steps of a known one. It leaves no entry, for it has no card,
    /// unless it is advised: what happened already must wait for somebody.
    fn decide_unknown(&self, request: &Request, mark: Mark, now: Now) -> Given {
        let card = Card::unknown();
        let place = Some(request.place);
        let is_parked = matches!(request.ask, Ask::Advice(_));
        let mut desk = is_parked.then(|| self.shard.desks().lock(Desk::Suspense));
        let Some(mut held) = self.shard.answers().hold(mark) else {
            return Given::of(Reason::Internal.into(), Ticket::Now, place);
        };
        match self.answered_before(request, About::Desk(Desk::Suspense), &held) {
            Before::Never => {}
            Before::Same(answer, seq) => return Given::of(answer, Ticket::After(seq), place),
            // For whatever card this key was answered, it was not for this number.
            Before::Other => return Given::of(Reason::KeyReused.into(), Ticket::Now, place),
            Before::Forgotten => return Given::of(Reason::TryLater.into(), Ticket::Now, place),
        }
        let (proofs, signals) = (Proofs::default(), Signals::default());
        let decision = decide(request, &proofs, &card, &signals, now, &self.policy);
        self.count_failure(request, &decision, None, now);
        let answer = Answer::of_decision(&decision);
        let (Some(desk), Some(fact)) = (&mut desk, decision.fact(request, &proofs, &card)) else {
            return Given::of(answer, Ticket::Now, place);
        };
        if !held.has_room(now.unix_ms) {
            return Given::of(Reason::TryLater.into(), Ticket::Now, place);
        }
        let Ok((seq, _)) = self.shard.commit_desk(Desk::Suspense, desk, now, fact) else {
            return Given::of(Reason::TryLater.into(), Ticket::Now, place);
        };
        held.remember(seq, now.unix_ms);
        Given::of(answer, Ticket::After(seq), place)
    }

    fn decide_known(&self, case: Case<'_>, mark: Mark, now: Now, tally: &mut Tally) -> Given {
        let Case { request, cell, .. } = case;
        let mut proofs = Proofs::default();
        // What happened already is asked for no proof; its terminal may still tell of a script.
        if request.has_chip_data && matches!(request.ask, Ask::Advice(_) | Ask::Reversal(_)) {
            proofs.script_told = case.script_told();
        }
        let mut pvv = None;
        loop {
            match self.decide_locked(cell, (request, mark), &proofs, now, tally, &mut pvv) {
                Pass::Given(given) => return given,
                // Outside every lock: from the message and what of the card never changes.
                Pass::Prove(kind) => {
                    if case.prove(kind, pvv, self.shard.hsm(), &mut proofs).is_err() {
                        let answer = Reason::Internal.into();
                        return Given::of(answer, Ticket::Now, Some(request.place));
                    }
                }
            }
        }
    }

    fn decide_locked(
        &self,
        cell: &Cell,
        (request, mark): (&Request, Mark),
        proofs: &Proofs,
        now: Now,
        tally: &mut Tally,
        pvv: &mut Option<u16>,
    ) -> Pass {
        let shard = &*self.shard;
        let place = Some(request.place);
        let refuse = |reason: Reason| Pass::Given(Given::of(reason.into(), Ticket::Now, place));
        let early = planted::is(Fault::StaleTick).then(|| cell.controls());
        let mut card = cell.lock();
        if shard.settle_due(cell, &mut card, now).is_err() {
            return refuse(Reason::TryLater);
        }
        let signals = self.signals(request, &card, now);
        let Some(mut held) = shard.answers().hold(mark) else {
            return refuse(Reason::Internal);
        };
        match self.answered_before(request, About::Card(card.id()), &held) {
            Before::Never => {}
            Before::Same(answer, _) if planted::is(Fault::RepeatBeforeDurable) => {
                return Pass::Given(Given::of(answer, Ticket::Now, place));
            }
            // The answer was another than what can be made now.
            Before::Same(answer, _) if lacks_datum(&answer, &card) => {
                return refuse(Reason::TryLater);
            }
            Before::Same(answer, _) => {
                tally.repeats += 1;
                return Pass::Given(Given::of(answer, Ticket::After(card.last_seq()), place));
            }
            Before::Other => return refuse(Reason::KeyReused),
            Before::Forgotten => return refuse(Reason::TryLater),
        }
        let stale = planted::stale(&card, early, now);
        let judged = stale.as_ref().unwrap_or(&card);
        let decision = decide(request, proofs, judged, &signals, now, &self.policy);
        if let Decision::Need(kind) = decision {
            *pvv = card.pvv();
            return Pass::Prove(kind);
        }
        self.count_failure(request, &decision, Some(card.id()), now);
        let given = |answer, ticket| Pass::Given(Given::of(answer, ticket, place));
        let changes_nothing = match &decision {
            Decision::Decline(decline) => decline.changes_nothing(),
            Decision::Approve(_) | Decision::Need(_) => false,
        };
        if changes_nothing && !card.enters_decline(now, self.policy.declines_per_card_hour) {
            card.count_decline();
            return given(Answer::of_decision(&decision), Ticket::Now);
        }
        let news: Vec<Fact> = card.script_news(request, &decision, proofs).collect();
        for fact in news {
            let entry = entry_of(&card, now, fact);
            if shard.commit(cell, &mut card, &entry).is_err() {
                return refuse(Reason::TryLater);
            }
        }
        let Some(fact) = decision.fact(request, proofs, &card) else {
            // A fee was told: what it reveals is no state of the card.
            return given(Answer::of_decision(&decision), Ticket::Now);
        };
        if !held.has_room(now.unix_ms) {
            return refuse(Reason::TryLater);
        }
        let entry = entry_of(&card, now, fact);
        let Ok(seq) = shard.commit(cell, &mut card, &entry) else {
            return refuse(Reason::TryLater);
        };
        held.remember(seq, now.unix_ms);
        let Some(answer) = Answer::of_entry(seq, &entry) else {
            return refuse(Reason::Internal);
        };
        let ticket = if changes_nothing { Ticket::Now } else { Ticket::After(seq) };
        given(answer, ticket)
    }

    /// Counts a decline that looks like guessing.
    fn count_failure(
        &self,
        request: &Request,
        decision: &Decision,
        card: Option<CardId>,
        now: Now,
    ) {
        if let Decision::Decline(decline) = decision
            && decline.reason.is_failure()
        {
            self.failures.add(request, card, &self.policy, now);
        }
    }

    /// Whether this key was answered before, and for the same request about the same.
    fn answered_before(&self, request: &Request, about: About, held: &Held<'_>) -> Before {
        if planted::is(Fault::NoDedupe) {
            return Before::Never;
        }
        let (seq, entry) = match self.entry_of(&request.key, held) {
            Ok(Some(found)) => found,
            Ok(None) => return Before::Never,
            Err(Forgotten) => return Before::Forgotten,
        };
        let is_same = entry.about == about
            && is_same_stranger(request, &entry)
            && entry.answered().is_some_and(|answered| {
                answered.processing_code == request.processing_code
                    && answered.transaction_amount == request.transaction_amount
                    && answered.currency == request.currency
            });
        match Answer::of_entry(seq, &entry) {
            Some(answer) if is_same => Before::Same(answer, seq),
            Some(_) | None => Before::Other,
        }
    }

    /// The entry that answered `key`, if one did.
    fn entry_of(
        &self,
        key: &RequestKey,
        held: &Held<'_>,
    ) -> Result<Option<(Seq, Entry)>, Forgotten> {
        for seq in held.candidates() {
            let entry = self.shard.entry(seq).ok_or(Forgotten)?;
            if entry.answered().is_some_and(|answered| answered.key == *key) {
                return Ok(Some((seq, entry)));
            }
        }
        Ok(None)
    }

    /// What the node knows of the request beyond its card.
    fn signals(&self, request: &Request, card: &Card, now: Now) -> Signals {
        let Ask::Reversal(ask) = request.ask else {
            let failures = &self.failures;
            let is_enumeration = failures.are_too_many(request, Some(card.id()), &self.policy, now);
            return Signals { is_enumeration, ..Signals::default() };
        };
        let named = ask.original.class;
        let classes = [1, 2].into_iter().filter(|class| named == 0 || named == *class);
        let answers = classes.filter_map(|class| {
            let key = RequestKey { class, ..ask.original };
            let held = self.shard.answers().hold(self.shard.answers().mark(&key))?;
            let found = self.entry_of(&key, &held).ok().flatten();
            found.filter(|(_, entry)| entry.card() == Some(card.id()))
        });
        // A terminal that does not name the class can have sent both: the approval counts.
        let original =
            answers.fold(OriginalSeen::Unseen, |seen, (seq, entry)| match (seen, &entry.fact) {
                (_, Fact::Authorized(_) | Fact::Completed(_) | Fact::RefundPending(_)) => {
                    OriginalSeen::Approved(seq)
                }
                (OriginalSeen::Unseen, _) => OriginalSeen::NoMoney,
                (OriginalSeen::Approved(_) | OriginalSeen::NoMoney, _) => seen,
            });
        Signals { original, ..Signals::default() }
    }
}

/// Whether `entry` is about the same number as `request`, where that number is none of ours.
fn is_same_stranger(request: &Request, entry: &Entry) -> bool {
    let Fact::Parked(parked) = &entry.fact else {
        return true;
    };
    parked.stranger.is_none_or(|stranger| request.pan.ok().map(MaskedPan::from) == Some(stranger))
}

/// Whether the chip was sent a value with `answer` that the card remembers no more.
fn lacks_datum(answer: &Answer, card: &Card) -> bool {
    let put_data = answer.chip.filter(|seen| seen.script == Some(ChipScript::PutData));
    put_data.is_some_and(|seen| card.datum_sent(seen.atc).is_none())
}

/// What one pass under the lock came to.
enum Pass {
    Given(Given),
    Prove(ProofKind),
}

/// What is known of a key.
enum Before {
    /// It was answered, and its entry is out of reach: to decide it anew could move money twice.
    Forgotten,
    /// It was not answered.
    Never,
    /// It was, for another request.
    Other,
    /// It was, with this answer, which stands in this entry.
    Same(Answer, Seq),
}

/// The key may have been answered by an entry that is out of reach.
struct Forgotten;

impl Given {
    const fn of(answer: Answer, ticket: Ticket, place: Option<Place>) -> Self {
        Self { told: Told::Answer(answer), ticket, place }
    }

    const fn now(answer: Answer) -> Self {
        Self::of(answer, Ticket::Now, None)
    }
}
