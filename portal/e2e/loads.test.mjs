// How money comes in, in a real browser: by another card with its bank's question, and by payment order.
import { test } from "node:test";
import assert from "node:assert/strict";
import { ANA, BOR, good, openPerson, picture, reach, register, stories } from "./support.mjs";

const story = stories();
/** The sandbox's provider: a card whose bank asks for a code, and the code. */
const CARD = "4012 8888 8888 1881";
const CODE = "2468";
const PAYER = { payer_name: "Žiga Černič", payer_address: "Glavni trg 4, 4000 Kranj", payer_email: "ziga@example.si" };

async function fill(page, values) {
  for (const [name, value] of Object.entries(values)) await page.fill(`#${name}`, value);
}

async function send(page) {
  await page.click("main form:has(.field) button.button");
}

test("a stranger loads a card with their own, over its bank's question, to the receipt", () =>
  story({ answers: [422] }, async ({ page, browser, cekr }) => {
    await page.goto("/load");
    await good(page, "load");
    await fill(page, { amount: "20,00", mok_id: ANA.mokId, last_six: "000012", ...PAYER });
    await send(page);
    await page.waitForSelector("[aria-invalid=true]");
    assert.equal(await page.inputValue("#payer_name"), PAYER.payer_name, "what was typed is kept");
    await good(page, "load-wrong");

    await page.fill("#last_six", ANA.lastSix);
    await send(page);
    await page.waitForURL("**/sandbox/psp/*");
    assert.match(await page.textContent("main"), /20,00/);
    await good(page, "psp");
    await page.fill("#card_number", CARD);
    await send(page);
    await page.waitForURL("**/bank");
    await good(page, "psp-bank");
    await page.fill("#bank_code", "1111");
    await send(page);
    await page.waitForSelector("[aria-invalid=true]");
    await good(page, "psp-bank-wrong");
    await page.fill("#bank_code", CODE);
    await send(page);
    await page.waitForURL("**/load/*");
    await page.waitForSelector(".notice.good");
    assert.match(await page.textContent("main"), /Denar je na kartici/);
    await good(page, "load-receipt");
    const receipt = page.url();
    await page.reload();
    assert.equal(page.url(), receipt);

    const holder = await openPerson(browser, cekr.url);
    await register(holder.page, ANA);
    assert.match(await holder.page.textContent(".plastic .available"), /120,00/);
    assert.deepEqual(holder.complaints, []);
    await holder.context.close();
  }));

test("a holder's means of payment are kept by consent, pay again, and are forgotten", () =>
  story({ locale: "en-GB", width: 1280 }, async ({ page }) => {
    await register(page, ANA);
    const card = new URL(page.url()).pathname;
    await page.click("main a[href^='/load']");
    await good(page, "load-own");
    await page.check("input[name=card][value]:not([value=''])");
    await fill(page, { amount: "15.00", ...PAYER });
    await page.check("input[name=keep]");
    await send(page);
    await page.waitForURL("**/sandbox/psp/*");
    await page.fill("#card_number", CARD);
    await send(page);
    await page.waitForURL("**/bank");
    await page.fill("#bank_code", CODE);
    await send(page);
    await page.waitForSelector(".notice.good");

    await page.goto("/load");
    await good(page, "load-kept");
    await page.check("input[name=means]:not([value=''])");
    await page.fill("#amount", "5.00");
    await send(page);
    await page.waitForURL("**/sandbox/psp/*");
    await good(page, "psp-kept");
    await page.click("form:has(input[name=kept]) button");
    await page.waitForURL("**/bank");
    await page.click("button[name=give_up]");
    await page.waitForSelector(".notice.bad");
    await good(page, "load-failed");

    await page.goto(card);
    assert.match(await page.textContent(".plastic .available"), /115\.00/);
    await page.goto("/load");
    await page.click("form[action$='/forget'] button");
    await page.waitForURL("**/load");
    assert.equal(await page.locator("form[action$='/forget']").count(), 0);
  }));

test("a payment order is filled in, shown with its code, and printed on one sheet", () =>
  story({}, async ({ page, context }) => {
    await page.goto("/load/upn");
    await good(page, "upn");
    await fill(page, { mok_id: BOR.mokId, last_six: BOR.lastSix, amount: "50", upn_name: "Žiga Černič" });
    await send(page);
    const order = page.locator("#order");
    await order.waitFor();
    assert.match(await order.textContent(), /SI05 8074720-534640974-200/);
    const code = await page.locator("svg.upn-code").boundingBox();
    assert.ok(code.width >= 200 && code.height >= 200, "the code can be scanned");
    await good(page, "upn-order");

    for (const [view, mark] of [["png", "\x89PNG"], ["svg", "<svg"]]) {
      const coming = page.waitForEvent("download");
      await page.click(`#order button[value=${view}]`);
      const stream = await (await coming).createReadStream();
      const [first] = await stream.take(1).toArray();
      assert.ok(first.toString("latin1").includes(mark), view);
    }

    await page.click("#order button[value=print]");
    await page.waitForSelector(".upn-sheet svg");
    await good(page, "upn-print");
    await page.emulateMedia({ media: "print", colorScheme: "light" });
    assert.ok(await page.isVisible(".upn-sheet svg"));
    assert.ok(await page.isHidden(".site-header nav"));
    await picture(page, "sl-upn-paper");
    const paper = (await page.pdf({ preferCSSPageSize: true, printBackground: true })).toString("latin1");
    assert.equal(paper.match(/\/Type\s*\/Page\b/g)?.length, 1, "one sheet");
    assert.equal(context.pages().length, 1);
  }));

test("a load from the first page to the receipt needs no mouse", () =>
  story({ locale: "en-GB", width: 1280 }, async ({ page }) => {
    const type = async (name, value) => {
      await reach(page, `#${name}`);
      await page.keyboard.type(value);
    };
    await page.goto("/");
    await reach(page, "nav a[href='/load']");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/load");
    await type("amount", "10.00");
    await type("mok_id", ANA.mokId);
    await type("last_six", ANA.lastSix);
    for (const [name, value] of Object.entries(PAYER)) await type(name, value);
    await reach(page, "main button");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/sandbox/psp/*");
    await type("card_number", CARD);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/bank");
    await type("bank_code", CODE);
    await reach(page, "main button");
    await page.keyboard.press("Space");
    await page.waitForSelector(".notice.good");
    assert.match(await page.textContent("main"), /10\.00/);
  }));
