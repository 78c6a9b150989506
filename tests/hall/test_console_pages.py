"""The console in a browser, before a gateway whose devices are told by hand what to say."""

import time
from collections.abc import Iterator

import pytest
from hall_gateway.heart import Heart
from hall_gateway.store_dead_letters import DeadLetter
from playwright.sync_api import Page, expect
from support.console import Visit, visited

PAGES = ("/", "/figures", "/alerts", "/devices", "/webhooks", "/account")

# Pixels of the picture of a window's display: 64 LEDs and the frame around them.
PICTURE_WIDTH = 528

EVIL = '<img src=x onerror="document.title=1">'
SCRIPT = "<b>x</b>'\"&"


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    with visited(tmp_path_factory.mktemp("console")) as visit:
        yield visit


def announced(page: Page) -> str:
    return page.locator("#said").inner_text()


def test_a_press_shows_within_a_second(hall: Visit) -> None:
    page = hall.page("王经理")
    session = hall.stage.serve("1", "A001", staff="王敏")
    expect(page.locator("[data-key=window-1] .flags")).to_contain_text("正在请顾客评价")
    before = time.monotonic()
    hall.stage.rate("kp-1", session, 5)
    page.wait_for_selector(".ratings li:has-text('非常不满意')", timeout=3000)
    assert time.monotonic() - before < 1.0
    assert "1 号窗口：非常不满意" in announced(page)
    expect(page.locator("[data-key=rated]")).to_contain_text("n = 1")
    expect(page.locator("[data-key=rated]")).to_contain_text("95% 区间")


def test_a_window_shows_its_ticket_clerk_time_and_display(hall: Visit) -> None:
    page = hall.page("看")
    card = page.locator("[data-key=window-1]")
    hall.stage.command("call", window="1", ticket="A002", staff="李强", business="过户")
    hall.stage.command("start", window="1")
    expect(card.locator(".ticket")).to_contain_text("A002")
    expect(card).to_contain_text("办理中")
    expect(card.locator(".who")).to_contain_text("李强 · 过户")
    expect(card.locator(".time")).to_contain_text("/ 20:00")
    expect(card.locator("img")).to_have_attribute("alt", "显示屏 disp-1：请A002号到1窗口")
    # Not wait_for_function: the page's policy refuses the eval it needs to ask a second time.
    expect(card.locator("img")).to_have_js_property("naturalWidth", PICTURE_WIDTH)
    expect(card).to_contain_text("等待显示屏确认")
    hall.stage.state("disp-1")
    expect(card).not_to_contain_text("等待显示屏确认")
    hall.stage.command("end", window="1")


def test_a_wet_floor_raises_the_alert_and_turns_the_display(hall: Visit) -> None:
    page = hall.page("王经理")
    sign = page.locator("[data-key=sign-sign]")
    before = time.monotonic()
    hall.stage.event("floor-1", "wet", {"ohms": 3000})
    hall.stage.tick()
    expect(page.locator("#standing-list")).to_contain_text("地面湿滑", timeout=3000)
    assert time.monotonic() - before < 1.0
    expect(sign.locator("img")).to_have_attribute("alt", "显示屏 sign：小心地滑")
    page.click(".pages a[href='/alerts']")
    page.fill("[data-key^=alert-] input[name=note]", "已放警示牌")
    page.click("[data-key^=alert-] button")
    expect(page.locator("#alerts")).to_contain_text("王经理 于")
    expect(page.locator("#alerts")).to_contain_text("已放警示牌")
    hall.stage.event("floor-1", "dry", {"ohms": 300_000})
    hall.stage.tick()
    expect(page.locator("main")).to_contain_text("没有告警")


def test_a_bad_rating_goes_through_the_closed_loop(hall: Visit) -> None:
    session = hall.stage.serve("1", "A003", staff="王敏")
    hall.stage.rate("kp-1", session, 4)
    page = hall.page("王经理", "/alerts")
    task = page.locator(".task:has-text('A003')").first
    for button, note in (
        ("受理任务", "马上联系"),
        ("已联系顾客", "已致歉"),
        ("已整改", "加开窗口"),
    ):
        task.locator("input[name=note]").fill(note)
        task.get_by_role("button", name=button).click()
        expect(task.locator(".history")).to_contain_text(note)
    task.locator("select[name=mark]").select_option("5")
    task.get_by_role("button", name="记录再评价").click()
    page.locator("summary:has-text('已完成的任务')").click()
    expect(page.locator("[data-key^=closed-]").first).to_contain_text("非常满意")


def test_typing_goes_on_while_the_hall_moves(hall: Visit) -> None:
    for ticket in ("A011", "A012"):
        hall.stage.rate("kp-1", hall.stage.serve("1", ticket, staff="王敏"), 4)
    page = hall.page("王经理", "/alerts")
    gone = page.locator(".panel.task:has-text('A011')")
    task = page.locator(".panel.task:has-text('A012')")
    task.locator("input[name=note]").focus()
    page.keyboard.type("马上")
    page.evaluate("document.activeElement.addEventListener('blur', () => { window.blurred = 1 })")
    id = str(gone.get_attribute("data-key")).rpartition("-")[2]
    csrf = page.locator("form[action='/logout'] [name=csrf]").get_attribute("value") or ""
    for step in ("acknowledge", "contact", "fix", "rerate"):
        form = {"csrf": csrf, "mark": "5"}
        origin = {"Origin": hall.address}
        answer = page.request.post(f"{hall.address}/tasks/{id}/{step}", form=form, headers=origin)
        assert answer.ok, step
    expect(gone).to_have_count(0)
    page.keyboard.type("联系")
    expect(task.locator("input[name=note]")).to_have_value("马上联系")
    assert page.evaluate("window.blurred") is None
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(task.locator(".history")).to_contain_text("马上联系")
    expect(task).to_be_focused()  # the form has gone with what was done by it
    page.keyboard.press("Tab")
    expect(task.locator("input[name=note]")).to_be_focused()


def test_a_manager_shows_a_text(hall: Visit) -> None:
    page = hall.page("王经理")
    page.select_option("[name=place]", "device:sign")
    page.fill("form[action='/show'] [name=text]", "系统升级")
    page.click("form[action='/show'] button")
    expect(page.locator("#toast")).to_contain_text("已显示")
    alt = "显示屏 sign：系统升级"
    expect(page.locator("[data-key=sign-sign] img")).to_have_attribute("alt", alt)


def test_a_technician_commands_a_device_and_sees_its_answer(hall: Visit) -> None:
    page = hall.page("tech", "/devices", lang="en")
    hall.stage.obeys = {"disp-1": {"ok": True, "result": {}}, "kp-1": {"ok": False, "error": EVIL}}
    page.get_by_role("button", name="Identify disp-1").click()
    expect(page.locator("#toast")).to_contain_text("disp-1 shows itself")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Reboot kp-1").click()
    expect(page.locator("#toast")).to_contain_text(f"did not do it: {EVIL}")
    assert page.title() != "1"


def test_a_viewer_commands_nothing(hall: Visit) -> None:
    page = hall.page("看")
    for path in PAGES[:5]:
        page.goto(hall.address + path)
        assert page.locator("main form:not([method=get])").count() == 0, path
    csrf = page.locator("form[action='/logout'] [name=csrf]").get_attribute("value")
    for path in ("/show", "/alerts/1/acknowledge", "/tasks/1/fix", "/webhooks/retry",
                 "/devices/disp-1/reboot"):  # fmt: skip
        form = {"csrf": csrf or "", "place": "window:1", "text": "x", "seconds": "60"}
        answer = page.request.post(hall.address + path, form=form, headers={"Origin": hall.address})
        assert answer.status == 403, path
    assert hall.stage.desired("disp-1").get("text") != "x"


def test_a_wrong_password_is_slowed(hall: Visit) -> None:
    page = hall.page(None, "/login")
    for tries in range(4):
        page.fill("[name=name]", "nobody")
        page.fill("[name=password]", "wrong")
        before = time.monotonic()
        page.click("button.primary")
        page.wait_for_load_state()
        assert time.monotonic() - before >= 1.0, tries
        expect(page.locator(".notice")).to_contain_text("用户名或密码不对")
    page.fill("[name=name]", "nobody")
    page.fill("[name=password]", "wrong")
    page.click("button.primary")
    expect(page.locator(".notice")).to_contain_text("错误次数过多")


def test_what_others_say_stays_text(hall: Visit) -> None:
    stage = hall.stage
    page = hall.page("tech")
    ticket, staff = "<b>1</b>", "<i onclick=1>王</i>"
    session = stage.serve("1", ticket, staff=staff, business=SCRIPT)
    stage.rate("kp-1", session, 5)
    stage.command("call", window="1", ticket=ticket, staff=staff, business=SCRIPT)
    stage.command("show", device="sign", text=EVIL, seconds=600)
    stage.event("kp-1", "fault", {"code": "key_stuck", "value": "<b>v</b>"})
    stage.state("disp-1", health={"up_s": 1, "boot": 1, "cause": EVIL, "errors": [EVIL]}, fw=EVIL)

    def refused(heart: Heart, now: int) -> None:
        body = f'{{"type":"{SCRIPT[:8]}"}}'.encode()
        heart.dead_letters.bury(DeadLetter("hall", f"e/{SCRIPT}", body, EVIL, 3, now, now))

    stage.do(lambda core: core.do(refused))
    card = page.locator("[data-key=window-1]")
    expect(card.locator(".ticket")).to_contain_text(ticket)
    expect(card.locator(".who")).to_contain_text(staff)
    expect(card.locator(".who")).to_contain_text(SCRIPT)
    expect(page.locator("[data-key=sign-sign] img")).to_have_attribute(
        "alt", f"显示屏 sign：{EVIL}"
    )
    page.goto(f"{hall.address}/devices")
    expect(page.locator("[data-key=device-disp-1]")).to_contain_text(EVIL)
    expect(page.locator("[data-key=device-kp-1]")).to_contain_text("<b>v</b>")
    page.goto(f"{hall.address}/webhooks")
    expect(page.locator(".list")).to_contain_text(EVIL)
    expect(page.locator(".list")).to_contain_text(SCRIPT)
    page.goto(f"{hall.address}/alerts")
    task = page.locator(f".task:has-text('{ticket}')").first
    task.locator("input[name=note]").fill(EVIL)
    task.get_by_role("button").click()
    expect(task.locator(".history")).to_contain_text(EVIL)
    for path in PAGES:
        page.goto(hall.address + path)
        stage.state("disp-1", health={"up_s": 2, "boot": 1, "errors": [EVIL]}, fw=EVIL)
        assert page.locator("main :is(b, i, img[src=x])").count() == 0, path
        assert page.title() != "1"
    stage.state("disp-1")


def test_without_its_gateway_a_page_says_so(hall: Visit) -> None:
    page = hall.page("王经理")
    hall.stage.close()
    try:
        expect(page.locator("#down")).to_contain_text("网关没有响应")
        expect(page.locator("#down")).to_contain_text("不是实时的")
        assert page.locator("#link.is-down").count() == 1
        page.fill("form[action='/show'] [name=text]", "晚了")
        page.click("form[action='/show'] button")
        expect(page.locator("#toast")).to_contain_text("没有执行")
    finally:
        hall.stage.open()
    expect(page.locator("#link.is-up")).to_be_visible()
    assert page.locator("#down").count() == 0


@pytest.mark.parametrize("path", [*PAGES, "/?wall"])
def test_a_phone_needs_no_scrolling_sideways(hall: Visit, path: str) -> None:
    page = hall.page("tech", path, lang="en", width=360)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
    assert hall.script_errors == []
