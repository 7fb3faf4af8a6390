"""Words that carry grammar rather than meaning: they are not replaced."""

from __future__ import annotations

from tinybert.language import Language

ENGLISH_WORDS = """
    a about above after again against all also am an and any are aren't as at be because been before being
    below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't down
    during each either else ever every few for from further had hadn't has hasn't have haven't having he he'd
    he'll he's her here hers herself him himself his how i i'd i'll i'm i've if in into is isn't it it's its
    itself just let's me might more most must mustn't my myself neither no nor not of off on once only or
    other our ours ourselves out over own same shall shan't she she'd she'll she's should shouldn't so some
    such than that that's the their theirs them themselves then there there's these they they'd they'll
    they're they've this those through to too under until up upon us very was wasn't we we'd we'll we're
    we've were weren't what when where whether which while who whom whose why will with within without won't
    would wouldn't you you'd you'll you're you've your yours yourself yourselves n't s t d ll m re ve
"""
CHINESE_WORDS = """
    的 了 着 过 是 在 和 与 及 或 而 且 但 但是 也 都 就 又 还 很 更 最 太 不 没 没有 无 有 我 你 您 他 她 它
    我们 你们 他们 她们 它们 咱们 自己 这 那 这个 那个 这些 那些 这里 那里 这样 那样 哪 哪里 哪个 谁 什么
    怎么 怎样 为什么 多少 几 一 一个 一些 吗 呢 吧 啊 呀 哦 嘛 啦 被 把 给 让 使 对 对于 从 到 向 往 由 于 以
    以及 因为 所以 因此 如果 虽然 然而 不过 只 只是 只有 才 再 已 已经 曾 正在 将 会 能 可以 可能 应该 要 地
    得 之 其 各 每 等 上 下 里 中 个 们
"""
STOP_WORDS: dict[Language, frozenset[str]] = {
    "en": frozenset(ENGLISH_WORDS.split()),
    "zh": frozenset(CHINESE_WORDS.split()),
    "other": frozenset(),
}


def is_stop_word(word: str, language: Language) -> bool:
    """Say whether a word only carries grammar; no list is kept for ``other``.

    Example:
        >>> is_stop_word("The", "en"), is_stop_word("film", "en"), is_stop_word("的", "zh")
        (True, False, True)
    """
    return word.replace("’", "'").lower() in STOP_WORDS[language]
