"""Does linear theory predict how close to the image a descent comes?"""
