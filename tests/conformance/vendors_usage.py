"""What vendors say of the use of one request each, in the shapes that they document.

* Chat: https://platform.openai.com/docs/api-reference/chat/streaming (the last chunk, with what was cached)
* Realtime: https://platform.openai.com/docs/api-reference/realtime-server-events/response/done
* Speech and transcriptions: https://platform.openai.com/docs/api-reference/audio
* Gemini: https://ai.google.dev/api/generate-content#UsageMetadata and https://ai.google.dev/api/live#usagemetadata
"""

CEREBRAS = {  # 1,792 of 2,000 tokens cached; the book has no price for those, so all are input
    "prompt_tokens": 2000,
    "completion_tokens": 40,
    "total_tokens": 2040,
    "prompt_tokens_details": {"cached_tokens": 1792},
}
FIRST = {
    "prompt_tokens": 1100,
    "completion_tokens": 50,
    "total_tokens": 1150,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
SECOND = {
    **FIRST,
    "prompt_tokens": 1250,
    "completion_tokens": 60,
    "total_tokens": 1310,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
}
REALTIME = {
    "total_tokens": 1730,
    "input_tokens": 1530,
    "output_tokens": 200,
    "input_token_details": {
        "text_tokens": 1400,
        "audio_tokens": 130,
        "image_tokens": 0,
        "cached_tokens": 1088,
        "cached_tokens_details": {"text_tokens": 1024, "audio_tokens": 64, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 40, "audio_tokens": 160},
}
GEMINI = {
    "promptTokenCount": 1500,
    "candidatesTokenCount": 60,
    "totalTokenCount": 1860,
    "cachedContentTokenCount": 1024,
    "thoughtsTokenCount": 300,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1500}],
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 1024}],
}
LIVE = {
    "promptTokenCount": 700,
    "responseTokenCount": 225,
    "thoughtsTokenCount": 80,
    "totalTokenCount": 1005,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 500},
        {"modality": "AUDIO", "tokenCount": 200},
    ],
    "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 225}],
}
SPEECH = {"input_tokens": 20, "output_tokens": 75, "total_tokens": 95}
TRANSCRIPTION = {
    "type": "tokens",
    "input_tokens": 52,
    "input_token_details": {"text_tokens": 2, "audio_tokens": 50},
    "output_tokens": 9,
    "total_tokens": 61,
}
