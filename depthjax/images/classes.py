"""Which embedded photographs show something that is a class of ImageNet (ILSVRC 2012).

Of the others, whatever a classifier says of them is a guess: it has no word for what they show.
"""

IN_IMAGENET = {
    "chelsea": ("tabby", "tiger cat", "Egyptian cat"),  # a cat's face; which breed is not said
    "coffee": ("espresso", "cup", "coffee mug"),  # a small cup of coffee
    "camera": ("tripod",),  # the camera's; a class of its own
    "china": ("palace",),  # a pavilion in a Chinese palace's style
}
"""By name, the classes that what it shows belongs to, named as by torchvision.

A photograph is here if what it shows is a class by the words of its description, and the likeliest
class of each of three networks of the EfficientNet-Lite family is one of these
(`experiments/classify.py`). A dahlia (`flower`), a rocket, a wall clock and coins are not: the
nearest classes are other flowers, missiles and clocks, and the networks do not agree on them.
"""
