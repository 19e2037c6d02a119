//! The stand-in's RSA key. It guards nothing: it was made for these tests and is published with them.

/// Members of a JWK (RFC 7518 §6.3), public half first.
pub(crate) const RSA: [(&str, &str); 8] = [
    (
        "n",
        "tZ7nkHDleaR4TNkSWaatyKF8SoEUZ91VttxtzwCYZ-69QmbpNjisKS6jPZTW3UbXJri9uzSDYzdPwqT7lNmYAj9TKRckNbA8vA3Vy0jQXSsk0XvV5I-MFV3TYPQZGGZDa1oGM0yOhcXhddSvrkOkjnvoWSffpo28QyaaUJVlSO7kLxgt1Sqi-I9v2J7IbESpm-0IhJ1LuL1KybalFDc3zqZoxXgvZwLIlOQoPrTsTkqE50t0fRbjQAmh5yzHCk0txDE69BX45QwajM_qIsxWfhigZCsiCiod99z01lyQwzFr-N1UPIRqFeAbk_PdQU6JJPSrRJoqFWdCxMZ1agU5zQ",
    ),
    ("e", "AQAB"),
    (
        "d",
        "CnhInRkFAYgrrzJsTmK_betxQNJEHOCzikEWy3IbVxJ6MpPAKfIGarFXk7s6z7K_wGmx9lLGqDeOD4h3QFNy4d5Iqvu8iKPKPIUHqBpgeJ5-Ft1urShhSPIJt3Ma5z8t78hWxypIpQmNP7-tCPy5RcV61Xjo-a7-BVj6WF7kYdnamc0gwgivfHoimZg7-3SR9NmTB6GtLpr9RHsX6_1LoGrPwFQ4_qKJprnUQoKYtWuqqhOx6R2YS7b2NAgjtCrjaQos6hmTf8GfoW-nP1xRAnYopRX8vilJpQRcw85IYv_YtZY0l4jAYEr-vqYpfviD4n8nc8kMwzifxbG8vZK5-Q",
    ),
    (
        "p",
        "9NpO628S1t0ReNcdmJeRFTIqWcPjPu3tPzVjMARtAKulBM57rZ_Rvbh37iELqEBae6wKoovITcatq0WI9ap6xEuMPi8zs7ng_N4-7wjqMyF2R1i5A2LbI4BAw2Uw0pxdwSKZvdAJ_qfuP8ltKQciXnLEQKj1cowBlGfyKm2IQPc",
    ),
    (
        "q",
        "veOk5tfVSe2TcJZAKkum4W247uiFrv4HNgiUNZBz6gtlH3L9gF1hiiph_wFqKnCSYo61xqOvyuqR6BAzwnI2dJbCIKnhwVn7lubbM0YXx4-lhn7eAaRTMVUv7SC8VMO-rmYgNFLovXwU42eIuh0I34xxmw-dofhuSYNZwIe0bls",
    ),
    (
        "dp",
        "GX-2okwR8TBahnQYj_CQ2l08DdcZjk8m2uNLbg-37k7xw3thY-Z16EUSsEjetunkwmZbQSw_cuIS6fg22Cal3FVlyIAP6VKdPJhEg44xHZwJfkqeEd00pxDPLcoW-IfyN4_L5PmKYOvKIvhuFsy4Zo-bIoS18vTjoTnl_Uck3mc",
    ),
    (
        "dq",
        "OZA33g7Rxo5xorC5lNjIJxBW_n2YgPra_sNNAovex7Vam1UFihNEzViZym8IWwMzLRNsAWJ_mPjQ8FNxDWIIJgHJqZM2L6HyhcVH79wwuztNh18QN9kzqwHS_IRu8xc_x6iH3LTBfyeNQX6SUTEaDoKJseLi-0XPUROzcozw4n8",
    ),
    (
        "qi",
        "M8F5UIeowERGbibWkIX-26oUj5fQshClfteXpCpCLYwQ72gwNItXEI7guy-TDhizkN7-og_tDnwsPdpCXFKs0UOZkyQ2KjdvHRaQDliLaiBImLPhywt7kjuInaWIZWu-dPWyBICzrd4ZIWyoOxgN2Zh47LPLozWel4DYHwyJXVs",
    ),
];
