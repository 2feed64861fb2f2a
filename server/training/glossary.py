"""Shopping words of both languages side by side, written for this model, and sentences of them.

A general dictionary does not know how shoppers speak: there 物流 is "logistics", here "delivery".
"""

from __future__ import annotations

import re

import numpy as np

PRODUCTS = """
手机=phone 手机壳=phone case 充电器=charger 充电宝=power bank 数据线=charging cable 电脑=computer
笔记本电脑=laptop 平板=tablet 耳机=headphones 蓝牙耳机=wireless earphones 音箱=speaker
键盘=keyboard 鼠标=mouse 显示器=monitor 打印机=printer 路由器=router 相机=camera 电视=television
冰箱=fridge 洗衣机=washing machine 空调=air conditioner 热水器=water heater 微波炉=microwave
电饭锅=rice cooker 空气炸锅=air fryer 榨汁机=blender 水壶=kettle 保温杯=thermos bottle 炒锅=wok
平底锅=frying pan 刀具=kitchen knife 碗=bowl 盘子=plate 筷子=chopsticks 台灯=desk lamp
灯泡=light bulb 书桌=desk 椅子=chair 沙发=sofa 床=bed 床垫=mattress 枕头=pillow 被子=quilt
床单=bed sheet 毛巾=towel 窗帘=curtain 地毯=carpet 衣柜=wardrobe 收纳盒=storage box
垃圾袋=bin bags 吸尘器=vacuum cleaner 扫地机器人=robot vacuum 拖把=mop 洗衣液=laundry detergent
纸巾=tissues 衣服=clothes 外套=jacket 羽绒服=down jacket 毛衣=sweater 衬衫=shirt T恤=t-shirt
裤子=trousers 牛仔裤=jeans 裙子=skirt 连衣裙=dress 内衣=underwear 袜子=socks 鞋子=shoes
运动鞋=sneakers 靴子=boots 凉鞋=sandals 帽子=hat 围巾=scarf 手套=gloves 腰带=belt 眼镜=glasses
手表=watch 戒指=ring 项链=necklace 耳环=earrings 包包=handbag 背包=backpack 行李箱=suitcase
钱包=wallet 雨伞=umbrella 口红=lipstick 粉底=foundation 面膜=face mask 面霜=face cream
防晒霜=sunscreen 洗面奶=face wash 洗发水=shampoo 护发素=conditioner 沐浴露=shower gel 香水=perfume
牙刷=toothbrush 牙膏=toothpaste 剃须刀=razor 吹风机=hair dryer 奶粉=baby formula 纸尿裤=nappies
奶瓶=baby bottle 婴儿车=stroller 玩具=toy 积木=building blocks 拼图=puzzle 娃娃=doll
童书=children's book 小说=novel 书=book 菜谱=cookbook 茶叶=tea 咖啡=coffee 牛奶=milk 酸奶=yogurt
面包=bread 蛋糕=cake 饼干=biscuits 巧克力=chocolate 坚果=nuts 零食=snacks 水果=fruit 苹果=apples
蔬菜=vegetables 大米=rice 面条=noodles 火锅=hot pot 外卖=takeaway meal 猫粮=cat food 狗粮=dog food
猫砂=cat litter 宠物玩具=pet toy 鱼缸=fish tank 帐篷=tent 睡袋=sleeping bag 瑜伽垫=yoga mat
哑铃=dumbbell 自行车=bicycle 头盔=helmet 鱼竿=fishing rod 酒店=hotel 房间=hotel room
餐厅=restaurant
"""
ASPECTS = """
质量=quality 品质=quality 做工=workmanship 材质=material 面料=fabric 手感=feel to the touch
颜色=colour 款式=style 设计=design 外观=appearance 尺寸=size 尺码=size 大小=size 重量=weight
厚度=thickness 价格=price 性价比=value for money 优惠=discount 运费=shipping cost 物流=delivery
物流速度=delivery speed 快递=courier 发货=dispatch 包装=packaging 客服=customer service
售后服务=after-sales service 服务态度=service attitude 退货=return 退款=refund 保修=warranty
安装=installation 说明书=instructions 电池=battery 电池续航=battery life 屏幕=screen
音质=sound quality 画质=picture quality 摄像头=camera 充电速度=charging speed 系统=software
信号=signal 噪音=noise 功能=features 操作=ease of use 速度=speed 味道=taste 气味=smell 香味=scent
口感=texture in the mouth 新鲜度=freshness 分量=portion size 保质期=shelf life 效果=effect
保湿效果=moisturising effect 持久度=how long it lasts 舒适度=comfort 透气性=breathability
弹性=elasticity 拉链=zip 纽扣=button 鞋底=sole 印刷=print quality 纸质=paper quality 内容=content
情节=plot 卫生=cleanliness 环境=ambience 位置=location 早餐=breakfast 隔音=sound insulation
赠品=free gift 真假=authenticity 安全性=safety
"""
OPINIONS = """
很好=is very good 非常好=is excellent 不错=is good 太棒了=is great 完美=is perfect
很满意=is satisfying 一般=is average 还可以=is all right 很差=is bad 太差了=is terrible
不好=is not good 糟糕=is awful 令人失望=is disappointing 有问题=is faulty
比想象的好=is better than expected 不如描述=is not as described 没有变化=has not changed
怎么样？=, how is it?
"""
WORDS = """
宝贝=item 卖家=seller 商家=shop 店家=shop 买家=buyer 顾客=customer 正品=genuine product 假货=fake
山寨=knock-off 二手=second-hand 好评=positive review 差评=negative review 中评=average review
追评=follow-up review 回购=buy again 推荐=recommend 值得=worth it 划算=good deal 便宜=cheap
贵=expensive 实惠=affordable 满减=discount over a threshold 优惠券=coupon 红包=cash coupon
秒杀=flash sale 预售=pre-sale 双十一=singles' day sale 包邮=free shipping 次日达=next day delivery
到货=arrived 收到货=received the item 破损=damaged 破了=broken 坏了=broken 漏液=leaking
掉色=colour fades 起球=pilling 缩水=shrinks 褪色=fading 开线=seams come apart 脱胶=glue comes off
变形=out of shape 生锈=rusty 过期=expired 发霉=mouldy 异味=bad smell 刺鼻=pungent
色差=colour differs from the picture 偏大=runs large 偏小=runs small 合身=fits well 显瘦=slimming
百搭=goes with everything 保暖=warm 透气=breathable 舒服=comfortable 柔软=soft 结实=sturdy
耐用=durable 精致=delicate 大气=stylish 高档=high-end 好用=easy to use 难用=hard to use
好吃=delicious 难吃=tastes bad 新鲜=fresh 清爽=refreshing 油腻=greasy 保湿=moisturising
控油=oil control 美白=whitening 过敏=allergic reaction 敏感肌=sensitive skin 干皮=dry skin
送礼=as a gift 学生=student 宝宝=baby 孩子=child 老人=elderly people 女朋友=girlfriend
老公=husband 换货=exchange 投诉=complaint 赔偿=compensation 咨询=enquiry 下单=place an order
付款=payment 订单=order 发票=invoice 库存=stock 缺货=out of stock 卡顿=laggy 死机=crashes
闪退=app crashes 发热=gets hot 续航=battery life 充电=charging 快充=fast charging
漏电=electric leakage 黑屏=black screen 像素=pixels 清晰=clear 模糊=blurry 流畅=smooth 静音=quiet
噪音大=noisy 省电=energy saving 方便=convenient 麻烦=troublesome 及时=in time 很慢=very slow
很快=very fast 耐心=patient 敷衍=perfunctory 不理人=ignores messages 骗人=cheating 上当=ripped off
后悔=regret buying it 惊喜=pleasant surprise 物超所值=great value for money
货不对板=not as pictured
"""
COMMON = """
不错=good 差=bad 太=too 一般=average 足=enough 不行=not good 好=good 很=very 挺=quite 非常=very
真=really 没=no 没有=no 有=has 是=is 说=says 用=use 买=bought 买的=bought 就是=but 但是=but
可是=but 不过=but 再=again 还行=all right 可以=all right 大=big 小=small 长=long 短=short 多=many
少=few 高=high 低=low 快=fast 慢=slow 新=new 旧=old 重=heavy 轻=light 厚=thick 薄=thin 硬=hard
软=soft 喜欢=like 不喜欢=dislike 满意=satisfied 失望=disappointed 东西=thing 感觉=feels 觉得=think
第一次=first time 下次=next time 以后=later 上次=last time 一次=once 已经=already 一直=always
有点=a bit 特别=especially 比较=rather 不是=is not 不会=will not
"""
PATTERNS = (
    ("{zp}的{za}{zo}", "the {ea} of the {ep} {eo}"),
    ("这个{zp}{za}{zo}", "this {ep}: its {ea} {eo}"),
    ("买了{zp}，{za}{zo}", "I bought a {ep}, the {ea} {eo}"),
    ("{za}{zo}", "the {ea} {eo}"),
    ("我想买一个{zp}", "I want to buy a {ep}"),
    ("{zp}{za}", "{ep} {ea}"),
    ("请问{zp}有货吗？", "is the {ep} in stock?"),
    ("{zp}什么时候发货？", "when will the {ep} be shipped?"),
    ("{zp}坏了，我要退货", "the {ep} is broken, I want to return it"),
)


def pairs(table: str) -> list[tuple[str, str]]:
    """(Chinese, English) of each entry of a table above."""
    return re.findall(r"(\S+)=(.+?)(?=\s\S+=|$)", " ".join(table.split()))


def glossary() -> dict[str, str]:
    """Chinese shopping words and what an English shopper calls them."""
    return dict(pair for table in (COMMON, WORDS, ASPECTS, PRODUCTS) for pair in pairs(table))


def parallel_sentences(count: int, seed: int) -> list[tuple[str, str]]:
    """`count` short sentences in Chinese and English that say the same, drawn at random."""
    draw = np.random.default_rng(seed)
    products, aspects, opinions = pairs(PRODUCTS), pairs(ASPECTS), pairs(OPINIONS)
    sentences = []
    for _ in range(count):
        chinese, english = PATTERNS[draw.integers(len(PATTERNS))]
        (zp, ep), (za, ea), (zo, eo) = (
            side[draw.integers(len(side))] for side in (products, aspects, opinions)
        )
        words = {"zp": zp, "ep": ep, "za": za, "ea": ea, "zo": zo, "eo": eo}
        sentences.append((chinese.format(**words), english.format(**words)))
    return sentences
