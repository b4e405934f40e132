"""Which intents of the public corpora touch the customer's own account, and which a general answer settles.

Intents that are neither clearly one nor the other (an exchange rate, the weather) are left out.
"""
# ruff: noqa: SIM905 - lists of words read as words

CLINC_TOOL = frozenset(
    """
    account_blocked application_status balance bill_balance bill_due book_flight book_hotel calendar_update
    cancel_reservation car_rental card_declined confirm_reservation credit_limit credit_limit_change credit_score
    damaged_card direct_deposit expiration_date flight_status freeze_account insurance_change last_maintenance
    lost_luggage meeting_schedule min_payment new_card order order_checks order_status pay_bill pin_change
    pto_balance pto_request pto_request_status pto_used redeem_rewards reminder_update report_fraud
    report_lost_card restaurant_reservation rewards_balance rollover_401k routing schedule_maintenance
    schedule_meeting shopping_list_update spending_history todo_list_update transactions transfer
    travel_notification uber w2
    """.split()
)
CLINC_TALK = frozenset(
    """
    accept_reservations are_you_a_bot calculator calories carry_on change_accent change_language change_speed
    change_volume cook_time date definition do_you_have_pets flip_coin food_last fun_fact gas_type goodbye
    greeting how_old_are_you improve_credit_score ingredient_substitution ingredients_list international_fees
    international_visa jump_start meal_suggestion meaning_of_life measurement_conversion nutrition_info
    oil_change_how plug_type recipe repeat roll_dice spelling taxes tell_joke thank_you time timezone tire_change
    translate travel_suggestion vaccines what_are_your_hobbies what_can_i_ask_you what_is_your_name
    where_are_you_from whisper_mode who_do_you_work_for who_made_you
    """.split()
)
BANKING_TOOL = frozenset(
    """
    Refund_not_showing_up activate_my_card balance_not_updated_after_bank_transfer
    balance_not_updated_after_cheque_or_cash_deposit cancel_transfer card_arrival card_not_working
    card_payment_fee_charged card_payment_not_recognised card_payment_wrong_exchange_rate card_swallowed
    cash_withdrawal_not_recognised change_pin compromised_card declined_card_payment declined_cash_withdrawal
    declined_transfer direct_debit_payment_not_recognised edit_personal_details extra_charge_on_statement
    failed_transfer lost_or_stolen_card lost_or_stolen_phone order_physical_card passcode_forgotten
    pending_card_payment pending_cash_withdrawal pending_top_up pending_transfer pin_blocked request_refund
    reverted_card_payment? terminate_account top_up_failed top_up_reverted transaction_charged_twice
    transfer_fee_charged transfer_not_received_by_recipient wrong_amount_of_cash_received
    wrong_exchange_rate_for_cash_withdrawal
    """.split()
)
BANKING_TALK = frozenset(
    """
    age_limit apple_pay_or_google_pay atm_support automatic_top_up card_acceptance country_support
    disposable_card_limits exchange_charge exchange_via_app fiat_currency_support receiving_money
    supported_cards_and_currencies top_up_by_bank_transfer_charge top_up_by_card_charge top_up_by_cash_or_cheque
    top_up_limits topping_up_by_card transfer_into_account verify_my_identity verify_source_of_funds
    visa_or_mastercard why_verify_identity
    """.split()
)
