"""Words that carry no marketing meaning: the closed classes of English and Chinese grammar.

A list of our own, because the published ones drop what a marketer looks for. stopwordsiso 0.7.1
and stop-words 2025.11.4 hold "great", "problem", "useful", "not", "好", "大", "小", "不", "没"
(Nothman et al. 2018, "Stop Word Lists in Free Open-source Software Packages", on such lists).
English starts from Snowball's list (https://snowballstem.org/algorithms/english/stop.txt, BSD),
less its negations and "too", "only", "off", "out", "down", "under" ("too small", "50% off").
"""

from __future__ import annotations

ENGLISH = frozenset(
    """
    a an the
    i me my myself we us our ours ourselves you your yours yourself yourselves he him his himself
    she her hers herself it its itself they them their theirs themselves one ones
    this that these those here there
    who whom whose which what when where why how whatever whichever whoever
    am is are was were be been being do does did doing done have has had having
    will would shall should can could may might must ought let lets
    and but or if because as than so while whereas though although unless until since whether
    of at by for with about between into through during before after above below to from up in on
    again further then once upon onto within along around among across toward towards per via over
    all any both each some such other another own same every either else
    very just also even still yet already rather quite really actually basically simply
    anyway however therefore thus hence maybe perhaps
    i'm i've i'd i'll you're you've you'd you'll he's he'd he'll she's she'd she'll it's it'd it'll
    we're we've we'd we'll they're they've they'd they'll that's that'd that'll there's there'd
    here's what's who's who'd who'll where's when's why's how's let's one's
    im ive id youre youve theyre thats theres hes shes
    get gets got getting go goes going went gone come comes came say says said make makes made
    mr mrs ms etc eg ie oh ok okay um uh ah
    """.split()
)

CHINESE = frozenset(
    """
    的 地 得 了 着 过 之 所 者 们 等 等等 似的 般 一般来说 来说 来讲 的话 而言
    啊 吧 吗 呢 嘛 呀 哦 哇 啦 喔 噢 呃 嗯 哎 唉 哟 咯 哈 呵 哼 喽 么 嘞 诶 欸 滴 哒
    我 你 您 他 她 它 我们 你们 您们 他们 她们 它们 咱 咱们 自己 自身 本人 人家 大家 俺 别人 其他
    其它
    其 其中 其实 其余 某 某个 某些 各 各个 各种 每 每个 每次
    这 那 这个 那个 这些 那些 这里 那里 这儿 那儿 这样 那样 这么 那么 这种 那种 这次 那次 这款 此
    该 本
    这是 那是 这边 那边 这家 这件 这本 这本书 这部 这台 这点 这时 那时
    谁 什么 哪 哪个 哪些 哪里 哪儿 怎么 怎样 怎么样 为什么 为何 如何 几 多少 啥 咋
    是 有 在 到 去 来 给 把 被 让 叫 对 对于 关于 从 自 由 以 于 向 往 朝 与 和 跟 同 及 以及 或
    或者 还是
    为 为了 因 因为 由于 所以 因此 因而 于是 从而 既然 既 如果 假如 要是 若 倘若 即使 即便 哪怕
    虽然 虽 尽管 但 但是 可是 然而 却 而 而且 并 并且 且 不过 只是 不仅 不但 只要 不管 无论 否则
    除了 除非
    按 按照 根据 通过 经过 随着 作为 比如 例如 譬如 像 好像 如 如同 似乎 当 当时 当然 的确 确实
    就 就是 也 也是 都 都是 还 还有 还要 又 再 再次 才 便 则 即 已 已经 曾 曾经 正 正在 将 将要 刚
    刚刚
    很 非常 十分 挺 蛮 更 更加 比较 较 相当 极 极其 最 特别 真 真是 真的 实在 尤其
    可 可以 能 能够 会 要 想 应该 应 需 需要 得以 必须 可能 也许 大概 估计
    一 一个 一下 一些 一点 一种 一样 一直 一次 一定 一件 一本 一款 一会 一会儿 一边 一起 一切 两
    两个 俩 几个 有点 有些
    个 些 点 次 件 本 款 台 只 条 张 家 位 套 份 双 支 瓶 包 盒
    上 下 里 中 内 外 前 后 时 时候 之前 之后 以前 以后 以上 以下 然后 接着 后来 现在 今天 昨天
    明天 目前
    说 说是 看 看到 觉得 感觉 认为 知道 用 做 弄 搞 拿 起来 出来 下来 过来 上去 下去 进去 出去 回来
    呵呵 哈哈 嘻嘻 嘿嘿 嗯嗯 啊啊 哈哈哈
    """.split()
)

STOP_WORDS = ENGLISH | CHINESE
