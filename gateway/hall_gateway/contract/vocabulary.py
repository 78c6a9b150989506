"""What fields are called, in both languages, where their model does not say so itself.

Here: one title for each name, of commands, replies, reported states and what devices send. Not
here: fields whose name means different things in different payloads; their models say which.
"""

from hall_profiles.fields import Title

from hall_gateway.state import Json

_WORDS: dict[str, tuple[str, str]] = {
    # The envelope of a CloudEvent.
    "specversion": ("规范版本", "Version of CloudEvents"),
    "source": ("来源", "Source"),
    "type": ("类型", "Type"),
    "subject": ("主体", "Subject"),
    "time": ("时间", "Time"),
    "datacontenttype": ("数据格式", "Content type"),
    "clockquality": ("时钟质量", "Clock quality"),
    "data": ("数据", "Data"),
    # Commands and their replies.
    "id": ("编号", "Id"),
    "ok": ("成功", "Done"),
    "result": ("结果", "Result"),
    "error": ("错误", "Error"),
    "ticket": ("票号", "Ticket"),
    "window": ("窗口", "Window"),
    "to": ("至", "To"),
    "staff": ("员工", "Clerk"),
    "business": ("业务", "Business"),
    "priority": ("优先级", "Priority"),
    "text": ("文字", "Text"),
    "zh": ("中文", "Chinese"),
    "en": ("英文", "English"),
    "seconds": ("秒数", "Seconds"),
    "device": ("设备", "Device"),
    "devices": ("设备", "Devices"),
    "do": ("动作", "What to do"),
    "args": ("参数", "Arguments"),
    "ttl_s": ("有效期", "Time to live"),
    "state": ("状态", "State"),
    "pausing": ("即将暂停", "About to pause"),
    # What devices say of themselves.
    "online": ("在线", "Online"),
    "seen": ("最后联系", "Last seen"),
    "ratings": ("按键统计", "Presses"),
    "epoch": ("纪元", "Epoch"),
    "seq": ("序号", "Seq"),
    "boot": ("启动次数", "Boot"),
    "up": ("运行时长", "Uptime"),
    "up_s": ("运行时长", "Uptime"),
    "t": ("设备时间", "Device's clock"),
    "now": ("网关时间", "Gateway's clock"),
    "kind": ("种类", "Kind"),
    "rev": ("版本", "Revision"),
    "shows": ("显示或感知", "Shows or senses"),
    "journal": ("日志", "Journal"),
    "acked": ("已确认", "Acknowledged"),
    "next": ("下一序号", "Next"),
    "dropped": ("未写入", "Dropped"),
    "lost": ("丢失", "Lost"),
    "torn": ("损坏", "Torn"),
    "health": ("健康", "Health"),
    "cause": ("启动原因", "Cause"),
    "heap": ("空闲内存", "Free heap"),
    "connects": ("连接次数", "Connects"),
    "stale": ("过期", "Stale"),
    "refused": ("拒绝", "Refused"),
    "refresh": ("刷新", "Refresh"),
    "errors": ("最近错误", "Last errors"),
    "fw": ("固件版本", "Firmware"),
    "profile": ("设备型号", "Profile"),
    "code": ("代码", "Code"),
    "value": ("数值", "Value"),
    "key": ("按键", "Key"),
    "session": ("评价会话", "Rating session"),
    "n": ("同时按下", "Keys at once"),
    "why": ("原因", "Why"),
    "bits": ("位数", "Bits"),
    "dir": ("方向", "Direction"),
    "ohms": ("电阻", "Resistance"),
    "minutes": ("分钟", "Minutes"),
    "on": ("正在", "On"),
    "from": ("自", "From"),
    # What devices should be.
    "view": ("画面", "View"),
    # How their firmware is updated.
    "sha256": ("校验值", "SHA-256"),
    "at": ("起始字节", "First byte"),
    "size": ("大小", "Size"),
    "update": ("固件更新", "Update"),
    "v": ("版本", "Version"),
    "slot": ("固件槽", "Slot"),
    "s": ("进度", "How it stands"),
    "p": ("百分比", "Per cent"),
    "name": ("名称", "Name"),
    "until": ("截止", "Until"),
    "window_s": ("评价时长", "Time to press"),
    "free": ("自由评价", "Nobody asks"),
    "pin_key": ("密码密钥", "Key of PINs"),
    "desired": ("应有状态", "Desired state"),
    "cmd": ("命令", "Commands"),
    "events": ("事件", "Events"),
    "replies": ("答复", "Replies"),
}

TITLES: dict[str, Title] = {name: Title(zh=zh, en=en) for name, (zh, en) in _WORDS.items()}


def titled(name: str) -> Json:
    """What a schema says of a field with this name; nothing when the name is not here."""
    title = TITLES.get(name)
    return {} if title is None else spoken(title)


def spoken(title: Title) -> Json:
    """What a schema says of something with this title."""
    return {
        "title": f"{title.zh} {title.en}",
        "x-title": {"zh": title.zh, "en": title.en},
    }
