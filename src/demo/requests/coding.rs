//! Requests of the domain `coding`, in English and Chinese.

use super::{Domain, Half};

#[rustfmt::skip]
pub(super) const CODING: Domain = Domain {
    name: "coding",
    halves: [
        Half {
            lang: "en",
            pools: &[
                ("lang", 0.06, &[
                    "Python", "JavaScript", "Go", "Java", "TypeScript", "C#", "SQL", "Rust", "C++",
                    "Haskell",
                ]),
                ("task", 0.08, &[
                    "reverse a string", "count words in a file", "parse a date",
                    "remove duplicates but keep the order", "merge two sorted lists",
                    "validate an e-mail address", "find a cycle in a linked list",
                    "flatten a nested dictionary", "match brackets of four kinds",
                    "find the k-th smallest element of two sorted arrays",
                ]),
                ("bug", 0.08, &[
                    "an off-by-one error", "a mutable default argument", "a missing await",
                    "an index that is never used", "a race between two writers",
                    "a deadlock with three locks", "a lost wake-up under weak memory ordering",
                    "undefined behaviour after a signed overflow",
                ]),
                ("system", 0.12, &[
                    "a to-do list", "a URL shortener", "a chat server", "a rate limiter",
                    "a job queue with retries", "a search index", "a replicated log",
                    "a multi-version key-value store with snapshot isolation",
                ]),
                ("structure", 0.14, &[
                    "an array", "a hash map", "a binary heap", "a trie", "a segment tree",
                    "a suffix automaton", "a persistent red-black tree",
                    "a lock-free skip list with epoch reclamation",
                ]),
            ],
            templates: &[
                ("basics", 0.05, 60, "How do I ‹task› in ‹lang›? One short example."),
                ("basics", 0.08, 70, "What is the difference between a list and ‹structure› in ‹lang›?"),
                ("basics", 0.12, 90,
                    "Explain this to a beginner:\n```\nfor i in range(‹2-9›):\n    print(i * ‹2-9›)\n```\
                     \nand write the same in ‹lang›."),
                ("debug", 0.26, 120,
                    "My ‹lang› program should ‹task›, but I suspect ‹bug›. How do I find it?"),
                ("debug", 0.38, 150,
                    "What is wrong here, and what does it print?\n```python\ndef add(x, seen=[]):\n    \
                     seen.append(x + ‹1-9›)\n    return len(seen)\nprint(add(‹1-9›), add(‹1-9›))\n```\n\
                     Then show how ‹bug› would look in ‹lang›."),
                ("write", 0.22, 150,
                    "Write a function in ‹lang› to ‹task›, with ‹2-5› unit tests. No libraries."),
                ("write", 0.44, 200,
                    "Write a command-line tool in ‹lang›: read lines from stdin, ‹task›, print the ‹3-20› \
                     most frequent results as JSON, exit 2 on bad input. Handle files larger than memory."),
                ("review", 0.48, 190,
                    "Review this pull request in ‹lang›: it adds ‹system› and fixes ‹bug›, ‹200-900› \
                     lines, no tests. Write the five most important comments, most severe first."),
                ("query", 0.42, 140,
                    "Tables: users(id, name, created_at), orders(id, user_id, total, placed_at). Write a \
                     query for the users whose total in the last ‹20-90› days is above ‹100-900› and who \
                     did not order in the ‹2-9› months before. Which index helps, and could ‹bug› hide \
                     here?"),
                ("algorithm", 0.62, 240,
                    "Given n up to ‹2-9›00,000 intervals with weights, choose non-overlapping ones of \
                     maximum weight in ‹lang›, O(n log n), using ‹structure›. Prove it right, give the \
                     code, and test it on (1,‹4-9›,‹3-9›), (‹2-3›,6,‹2-9›), (5,‹8-12›,‹4-9›)."),
                ("algorithm", 0.76, 300,
                    "Implement ‹structure› in ‹lang› with insert, delete, range sum and rollback to any \
                     of the last ‹10-90› versions. State the invariant, the amortised and worst-case \
                     cost, how ‹bug› is ruled out, and a property test that would catch it."),
                ("design", 0.86, 380,
                    "Design ‹system› for ‹20-90›,000 requests per second over ‹3-7› regions with a p99 of \
                     ‹20-90› ms, surviving the loss of one region, without ‹bug›. Give the data model, \
                     the consistency you promise and its proof sketch, the use of ‹structure›, failure \
                     handling step by step, capacity arithmetic, and the core loop in ‹lang›."),
            ],
        },
        Half {
            lang: "zh",
            pools: &[
                ("lang", 0.06, &[
                    "Python", "JavaScript", "Go", "Java", "TypeScript", "C#", "SQL", "Rust", "C++",
                    "Haskell",
                ]),
                ("task", 0.08, &[
                    "反转字符串", "统计文件里的单词数", "解析日期", "去重并保持顺序", "合并两个有序列表",
                    "校验邮箱地址", "判断链表是否有环", "展平嵌套字典", "匹配四种括号",
                    "求两个有序数组的第 k 小元素",
                ]),
                ("bug", 0.08, &[
                    "差一错误", "可变默认参数", "漏写 await", "从未用到的索引", "两个写者之间的竞争",
                    "三把锁的死锁", "弱内存序下的丢失唤醒", "有符号溢出后的未定义行为",
                ]),
                ("system", 0.12, &[
                    "待办清单", "短链接服务", "聊天服务器", "限流器", "带重试的任务队列", "搜索索引",
                    "复制日志", "快照隔离的多版本键值存储",
                ]),
                ("structure", 0.14, &[
                    "数组", "哈希表", "二叉堆", "字典树", "线段树", "后缀自动机", "可持久化红黑树",
                    "带纪元回收的无锁跳表",
                ]),
            ],
            templates: &[
                ("basics", 0.05, 50, "用‹lang›怎样‹task›？给一个短例子。"),
                ("basics", 0.08, 60, "在‹lang›里，列表和‹structure›有什么区别？"),
                ("basics", 0.12, 80,
                    "给初学者解释这段代码：\n```\nfor i in range(‹2-9›):\n    print(i * ‹2-9›)\n```\n再用\
                     ‹lang›写一遍。"),
                ("debug", 0.26, 110, "我的‹lang›程序应该‹task›，怀疑是‹bug›，怎样定位？"),
                ("debug", 0.38, 140,
                    "这段代码错在哪里，会输出什么？\n```python\ndef add(x, seen=[]):\n    seen.append(x + \
                     ‹1-9›)\n    return len(seen)\nprint(add(‹1-9›), add(‹1-9›))\n```\n再说明‹bug›在\
                     ‹lang›里是什么样子。"),
                ("write", 0.22, 140, "用‹lang›写一个函数：‹task›，附‹2-5›个单元测试，不用第三方库。"),
                ("write", 0.44, 180,
                    "用‹lang›写一个命令行工具：从标准输入读取各行，‹task›，以 JSON 输出出现最多的‹3-20›个\
                     结果，输入有误时退出码为 2，要能处理超过内存的文件。"),
                ("review", 0.48, 170,
                    "评审一个‹lang›的合并请求：新增‹system›并修复‹bug›，共‹200-900›行，没有测试。写出最重\
                     要的五条意见，按严重程度排序。"),
                ("query", 0.42, 130,
                    "表：users(id, name, created_at)，orders(id, user_id, total, placed_at)。查询最近\
                     ‹20-90›天消费总额超过‹100-900›、且此前‹2-9›个月没有下单的用户。哪个索引有用？这里会\
                     不会藏着‹bug›？"),
                ("algorithm", 0.62, 220,
                    "给定 n 不超过‹2-9›00000 的带权区间，选出互不重叠且总权最大的若干个，用‹lang›实现，复\
                     杂度 O(n log n)，使用‹structure›。请证明正确性，给出代码，并在 (1,‹4-9›,‹3-9›)、(\
                     ‹2-3›,6,‹2-9›)、(5,‹8-12›,‹4-9›) 上验证。"),
                ("algorithm", 0.76, 280,
                    "用‹lang›实现‹structure›，支持插入、删除、区间求和，以及回滚到最近‹10-90›个版本中的任\
                     意一个。写出不变式、均摊和最坏复杂度，说明怎样排除‹bug›，并给出能发现它的性质测试。"),
                ("design", 0.86, 350,
                    "设计‹system›：‹3-7›个地域，每秒‹2-9›万次请求，p99 为‹20-90›毫秒，失去一个地域仍可用，\
                     且不会出现‹bug›。请给出数据模型、承诺的一致性及其证明思路、‹structure›的用法、逐步的\
                     故障处理、容量估算，以及用‹lang›写的核心循环。"),
            ],
        },
    ],
};
